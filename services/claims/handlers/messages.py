"""What claims tells others of plans and windows, in the words of the contracts: who, until when, and never what a plan
says."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.claims.domain.plans import SYSTEM, Fact, Plan
from services.claims.handlers.ports import Case, Publish, Subject
from shared.contracts.claims_v1 import ClaimsEvent, PlanState, WindowState

_REASON_MAX: Final = 255


def publish_plan(publish: Publish, plan: Plan, subject: Subject, as_of: datetime) -> None:
    """The state of a plan."""
    state = PlanState(
        plan_id=plan.id,
        version=plan.version,
        state=plan.state,
        kind=plan.kind,
        customer_code=subject.customer_code,
        uscc=subject.uscc,
        name=subject.name,
        unit_code=plan.unit_code,
        unit_path=plan.unit_path,
        reviewing_unit=plan.reviewing_unit,
        lines=plan.lines,  # type: ignore[arg-type]
        expected_revenue_fen=plan.expected_revenue_fen,
        manager_a=plan.manager_a,
        manager_b=plan.manager_b,
        queued=plan.queued,
        submitted_at=plan.submitted_at,
        due_at=plan.due_at if plan.state == "submitted" else None,
        breached_at=plan.breached_at,
        reviewed_at=plan.reviewed_at,
        reviewed_by=plan.reviewed_by,
        opens_at=plan.opens_at,
        ends_at=plan.ends_at,
        settled_at=plan.settled_at,
        rule_version=plan.rule_version,
        stage=plan.stage,  # type: ignore[arg-type]
        progressed_at=plan.progressed_at,
        significant=plan.significant,
        extended_until=plan.extended_until,
        closed_at=plan.closed_at,
        agreement_no=plan.agreement_no,
        as_of=as_of,
    )
    publish(state, state.event_id)


def publish_window(publish: Publish, plan: Plan, subject: Subject, as_of: datetime) -> None:
    """The window of a plan in force or settling."""
    assert plan.opens_at and plan.ends_at and plan.settled_at and plan.last_day  # noqa: S101 - it has a window
    state = WindowState(
        window_key=subject.key,
        customer_code=subject.customer_code,
        uscc=subject.uscc,
        name=subject.name,
        state="settling" if plan.state == "settling" else "active",
        plan_id=plan.id,
        version=plan.version,
        unit_code=plan.unit_code,
        unit_path=plan.unit_path,
        manager_a=plan.manager_a,
        manager_b=plan.manager_b,
        kind=plan.kind,
        lines=plan.lines,  # type: ignore[arg-type]
        opens_at=plan.opens_at,
        ends_at=plan.ends_at,
        last_day=plan.last_day,
        settled_at=plan.settled_at,
        as_of=as_of,
    )
    publish(state, state.event_id)


def publish_fact(publish: Publish, plan: Plan, subject: Subject, fact: Fact, event_id: str) -> None:
    """Something that happened to a plan."""
    succeeded = fact.event == "window_succeeded"
    event = ClaimsEvent(
        event=fact.event,  # type: ignore[arg-type]
        plan_id=plan.id,
        plan_version=plan.version,
        subject=subject.key,
        customer_code=subject.customer_code,
        unit_code=plan.unit_code,
        happened_at=fact.happened_at,
        by=fact.by,
        ends_at=plan.ends_at,
        agreement_no=fact.agreement_no,
        development_unit=plan.unit_code if succeeded else None,
        lead="B" if succeeded else None,
        stage=plan.stage if fact.event == "progress_reported" else None,  # type: ignore[arg-type]
        case=fact.case,  # type: ignore[arg-type]
        reason=printable(fact.reason),
    )
    publish(event, event_id)


def publish_case(publish: Publish, case: Case, plan: Plan, subject: Subject) -> None:
    """A case was opened or decided."""
    opened = case.state == "open"
    fact = Fact(
        "case_opened" if opened else "case_decided",
        case.opened_at if opened else case.decided_at or case.opened_at,
        SYSTEM if opened else case.decided_by or SYSTEM,
        reason=None if opened else f"{case.decision}: {case.reason}",
        agreement_no=case.agreement_no,
        case=case.kind,
    )
    publish_fact(publish, plan, subject, fact, f"case|{case.id}|{case.version}")


def printable(reason: str | None) -> str | None:
    """A reason as the contract carries it: one line of at most 255 characters."""
    line = " ".join((reason or "").split())
    line = "".join(character for character in line if character.isprintable())[:_REASON_MAX]
    return line or None
