"""Views of what claims tells: plans, windows, what happened to both."""

from __future__ import annotations

from typing import Any, Final

from services.reporting.adapters.writes.registry import listed
from services.reporting.adapters.writes.tables import BY_VERSION, FIRST_OFFSET, Table
from services.reporting.handlers.reading import Gone
from shared.contracts.claims_v1 import ClaimsEvent, PlanState, WindowState
from shared.messaging.states import StateRecord


def _plan(told: StateRecord[PlanState]) -> tuple[Any, ...]:
    plan = told.state
    return (
        plan.plan_id,
        plan.version,
        plan.state,
        plan.kind,
        plan.customer_code,
        plan.uscc,
        plan.name,
        plan.unit_code,
        plan.unit_path.rstrip("/"),
        plan.reviewing_unit,
        listed(plan.lines),
        plan.expected_revenue_fen,
        plan.manager_a,
        plan.manager_b,
        plan.queued,
        plan.submitted_at,
        plan.due_at,
        plan.breached_at,
        plan.reviewed_at,
        plan.reviewed_by,
        plan.opens_at,
        plan.ends_at,
        plan.settled_at,
        plan.rule_version,
        plan.stage,
        plan.progressed_at,
        plan.significant,
        plan.extended_until,
        plan.closed_at,
        plan.agreement_no,
        plan.as_of,
    )


PLANS: Final = Table[StateRecord[PlanState]](
    "plan_view",
    {
        "plan_id": "text",
        "version": "bigint",
        "state": "text",
        "kind": "text",
        "customer_code": "text",
        "uscc": "text",
        "name": "text",
        "unit_code": "text",
        "unit_path": "text",
        "reviewing_unit": "text",
        "lines": "text[]",
        "expected_revenue_fen": "numeric",
        "manager_a": "text",
        "manager_b": "text",
        "queued": "boolean",
        "submitted_at": "timestamptz",
        "due_at": "timestamptz",
        "breached_at": "timestamptz",
        "reviewed_at": "timestamptz",
        "reviewed_by": "text",
        "opens_at": "timestamptz",
        "ends_at": "timestamptz",
        "settled_at": "timestamptz",
        "rule_version": "bigint",
        "stage": "text",
        "progressed_at": "timestamptz",
        "significant": "boolean",
        "extended_until": "timestamptz",
        "closed_at": "timestamptz",
        "agreement_no": "text",
        "as_of": "timestamptz",
    },
    ("plan_id",),
    _plan,
    BY_VERSION,
)


def _window(told: StateRecord[WindowState] | Gone) -> tuple[Any, ...]:
    if isinstance(told, Gone):
        return (told.window_key, None, None, None, "gone", *[None] * 13, told.record.offset)
    window = told.state
    return (
        window.window_key,
        window.customer_code,
        window.uscc,
        window.name,
        window.state,
        window.plan_id,
        window.version,
        window.unit_code,
        window.unit_path.rstrip("/"),
        window.manager_a,
        window.manager_b,
        window.kind,
        listed(window.lines),
        window.opens_at,
        window.ends_at,
        window.last_day,
        window.settled_at,
        window.as_of,
        told.record.offset,
    )


WINDOWS: Final = Table[StateRecord[WindowState] | Gone](
    "window_view",
    {
        "window_key": "text",
        "customer_code": "text",
        "uscc": "text",
        "name": "text",
        "state": "text",
        "plan_id": "text",
        "version": "bigint",
        "unit_code": "text",
        "unit_path": "text",
        "manager_a": "text",
        "manager_b": "text",
        "kind": "text",
        "lines": "text[]",
        "opens_at": "timestamptz",
        "ends_at": "timestamptz",
        "last_day": "date",
        "settled_at": "timestamptz",
        "as_of": "timestamptz",
        "state_offset": "bigint",
    },
    ("window_key",),
    _window,
    # Versions are those of a plan and say nothing from one plan of a customer to the next; the topic's order does. An
    # ended window stays as a row that nobody sees, or reading the topic again would bring it back.
    "v.state_offset < excluded.state_offset",
)


def _event(told: StateRecord[ClaimsEvent]) -> tuple[Any, ...]:
    event = told.state
    return (
        told.event.id,
        event.event,
        event.plan_id,
        event.plan_version,
        event.subject,
        event.customer_code,
        event.unit_code,
        event.happened_at,
        event.by,
        event.ends_at,
        event.agreement_no,
        event.development_unit,
        event.lead,
        event.stage,
        event.case,
        event.reason,
        told.record.partition,
        told.record.offset,
    )


CLAIMS_EVENTS: Final = Table[StateRecord[ClaimsEvent]](
    "claims_event_view",
    {
        "event_id": "text",
        "event": "text",
        "plan_id": "text",
        "plan_version": "bigint",
        "subject": "text",
        "customer_code": "text",
        "unit_code": "text",
        "happened_at": "timestamptz",
        "done_by": "text",
        "ends_at": "timestamptz",
        "agreement_no": "text",
        "development_unit": "text",
        "lead": "text",
        "stage": "text",
        "case_kind": "text",
        "reason": "text",
        "partition": "integer",
        "record_offset": "bigint",
    },
    ("event_id",),
    _event,
    folded=FIRST_OFFSET,
)
