"""Declarations and delegations between their shapes over HTTP and the rules: what was sent, and what a caller is shown of them
(REG-6; S3 art.19)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

from services.registry.domain.declaration_record import Step, broken_at, first_seal
from services.registry.domain.declarations import Contact, Declaration
from services.registry.domain.declaring import Said
from services.registry.domain.masking import masked, masked_address, masked_record
from services.registry.domain.matching import Candidate
from services.registry.domain.working_calendar import WorkingCalendar
from services.registry.entrypoints.declaration_models import (
    ContactOut,
    DeclarationBrief,
    DeclarationFields,
    DeclarationOut,
    DelegationOut,
    EvidenceOut,
    EvidenceStepOut,
    LimitOut,
    SimilarOut,
    StepOut,
)
from services.registry.handlers.declaration_ports import Delegation, Desk
from shared.auth.policy import permit
from shared.auth.principals import Principal
from shared.money import format_yuan, parse_yuan


def said(body: DeclarationFields) -> Said:
    """The fields of a body as they are to be read."""
    revenue = body.expected_yearly_revenue
    return Said(
        name=body.name,
        uscc=body.uscc,
        nature=body.nature,
        industry=body.industry,
        address=body.address,
        division=body.division,
        contacts=tuple(Contact(each.name, each.position, each.phone, each.email) for each in body.contacts),
        expected_lines=tuple(body.expected_lines),
        expected_revenue_fen=None if revenue is None else parse_yuan(revenue),
        manager_a=body.manager_a,
        manager_b=body.manager_b,
        unit_code=body.unit_code,
    )


def changed_fields(body: DeclarationFields) -> tuple[str, ...]:
    """The fields of `Said` that a body names, null ones too: null takes a field away."""
    named = body.model_fields_set - {"comment", "submit"}
    return tuple(sorted(_AS_SAID.get(name, name) for name in named))


_AS_SAID: Final = {"expected_yearly_revenue": "expected_revenue_fen"}


def brief(
    declaration: Declaration, changed_at: datetime, now: datetime, calendar: WorkingCalendar
) -> DeclarationBrief:
    """A declaration as lists show it."""
    return DeclarationBrief.model_validate(_brief(declaration, changed_at, now, calendar))


async def shown(desk: Desk, found: Declaration) -> DeclarationOut:
    """A declaration as a command leaves it. What is kept for a repetition of the command holds no contacts, so that
    `with_contacts` adds them at every answer anew."""
    return await whole(desk, found, await desk.declarations.steps(found.id), desk.now, sees=False)


async def whole(
    desk: Desk, found: Declaration, steps: Iterable[Step], changed_at: datetime, *, sees: bool
) -> DeclarationOut:
    """A declaration with everything; `sees` is whether the caller sees its contacts as they are."""
    content = found.content if sees else masked(found.content)
    similar = shown_to(desk.caller, await desk.declarations.candidates(found.content, found.id))
    return DeclarationOut.model_validate(
        {
            **_brief(replace(found, content=content), changed_at, desk.now, desk.terms.limits.calendar),
            "nature": content.nature,
            "industry": content.industry,
            "address": content.address,
            "division": content.division,
            "contacts": [asdict(each) for each in content.contacts],
            "contacts_masked": not sees,
            "steps": [_step(step) for step in steps],
            "similar": [each.model_dump() for each in similar],
        }
    )


def with_contacts(answer: DeclarationOut, steps: Iterable[Step]) -> DeclarationOut:
    """The answer with contacts and address as they were said in its version, whatever has been said since."""
    content: Mapping[str, Any] = {}
    for step in steps:
        if step.version <= answer.version and step.content is not None:
            content = step.content
    contacts = [ContactOut.model_validate(each) for each in content.get("contacts") or ()]
    return answer.model_copy(
        update={"contacts": contacts, "address": content.get("address"), "contacts_masked": False}
    )


def evidence_of(desk: Desk, id: str, steps: list[Step], *, sees: bool) -> EvidenceOut:
    """The record with its seals; `sees` is whether the caller sees contacts as they are."""
    return EvidenceOut(
        declaration_id=id,
        first_seal=first_seal(id),
        last_seal=steps[-1].sha256 if steps else None,
        intact=broken_at(id, steps) is None,
        exported_at=desk.now,
        exported_by=desk.caller.user,
        contacts_masked=not sees,
        steps=[
            EvidenceStepOut.model_validate({**_step(step), "content": _kept(step, sees)}) for step in steps
        ],
    )


def shown_to(caller: Principal, candidates: Iterable[Candidate]) -> list[SimilarOut]:
    """Candidates as this caller may see them: outside their scope, who holds it and not what; an address whole only to its
    managers and declarer, like any contact."""
    return [_similar(caller, each) for each in candidates]


async def delegation_shown(_desk: Desk, delegation: Delegation) -> DelegationOut:
    """A delegation as a command leaves it."""
    return delegation_out(delegation)


def delegation_out(delegation: Delegation) -> DelegationOut:
    return DelegationOut.model_validate(asdict(delegation))


def _brief(
    declaration: Declaration, changed_at: datetime, now: datetime, calendar: WorkingCalendar
) -> dict[str, Any]:
    content, revenue = declaration.content, declaration.content.expected_revenue_fen
    return {
        "id": declaration.id,
        "declaration_id": declaration.id,
        "version": declaration.version,
        "state": declaration.state,
        "waiting_for": declaration.waiting_for,
        "declared_by": declaration.declared_by,
        "declarer": declaration.declarer,
        "name": content.name,
        "uscc": content.uscc,
        "expected_lines": list(content.expected_lines),
        "expected_yearly_revenue": None if revenue is None else format_yuan(revenue),
        "manager_a": content.manager_a,
        "manager_b": content.manager_b,
        "unit_code": declaration.unit_code,
        "unit_path": declaration.unit_path,
        "pre_review_unit": declaration.pre_review_unit,
        "deciding_unit": declaration.deciding_unit,
        "created_at": declaration.created_at,
        "submitted_at": declaration.submitted_at,
        "arrived_at": declaration.arrived_at,
        "pre_review_overdue_at": declaration.pre_review_overdue_at,
        "decided_at": declaration.decided_at,
        "decided_by": declaration.decided_by,
        "decided_for": declaration.decided_for,
        "decision_seconds": declaration.decision_seconds,
        "customer_code": declaration.customer_code,
        "changed_at": changed_at,
        "limit": _limit(declaration, now, calendar),
    }


def _limit(declaration: Declaration, now: datetime, calendar: WorkingCalendar) -> LimitOut | None:
    run = declaration.run
    if run is None or declaration.stage is None:
        return None
    return LimitOut(
        stage=declaration.stage,
        mode=run.mode,
        warn_at=declaration.warn_at,
        due_at=declaration.due_at,
        warned_at=declaration.warned_at,
        breached_at=declaration.breached_at,
        escalated_to=declaration.escalated_to,
        hours_left=round(run.left(now, calendar).total_seconds() / 3600, 2),
    )


def _step(step: Step) -> dict[str, Any]:
    note = step.note
    return StepOut(
        ordinal=step.ordinal,
        step=note.step,
        person=note.person,
        acted_for=note.acted_for,
        at=note.at,
        comment=note.comment,
        version=step.version,
        sha256=step.sha256,
    ).model_dump()


def _kept(step: Step, sees: bool) -> dict[str, Any] | None:
    """What the declaration said after a step."""
    if step.content is None:
        return None
    return dict(step.content) if sees else masked_record(step.content)


def _similar(caller: Principal, candidate: Candidate) -> SimilarOut:
    found = SimilarOut(
        kind=candidate.kind, signs=list(candidate.signs), unit_code=candidate.unit_code, masked=True
    )
    if permit(caller, "customers.read", candidate.unit_path, candidate.managers) is not None:
        return found
    theirs = caller.user in candidate.managers and not caller.holds("service")
    address = candidate.address
    return found.model_copy(
        update={
            "masked": False,
            "id": candidate.id,
            "name": candidate.name,
            "uscc": candidate.uscc,
            "address": address if address is None or theirs else masked_address(address),
            "state": candidate.state,
        }
    )
