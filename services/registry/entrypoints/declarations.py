"""Declarations over HTTP (`/v1/declarations`): declare, pre-review, decide, and what became of it (REG-1 to REG-4, REG-6)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from services.registry.domain.declaration_record import Step
from services.registry.domain.declaration_refusals import UnknownDeclaration
from services.registry.domain.declarations import Declaration
from services.registry.entrypoints.declaration_desk import Door, Filter, FromParts, Parts, when_loaded
from services.registry.entrypoints.declaration_models import (
    CommentIn,
    DecideIn,
    DecisionTimesOut,
    DeclarationFields,
    DeclarationIn,
    DeclarationOut,
    DeclarationsOut,
    EvidenceOut,
    PreReviewIn,
    RehearsalOut,
)
from services.registry.entrypoints.declaration_rehearsal import rehearsal
from services.registry.entrypoints.declaration_views import (
    brief,
    changed_fields,
    evidence_of,
    said,
    shown,
    whole,
    with_contacts,
)
from services.registry.handlers.decide_declaration import (
    Decide,
    Review,
    decide_declaration,
    pre_review_declaration,
)
from services.registry.handlers.declaration_access import sees_contacts
from services.registry.handlers.declare import (
    Declare,
    Edit,
    Submit,
    Withdraw,
    declare,
    edit_declaration,
    submit_declaration,
    withdraw_declaration,
)
from shared.auth.http import Caller, require
from shared.auth.principals import Principal
from shared.clock import SHANGHAI, business_date
from shared.commands import AnyCall, VersionedCall, described, problem_of
from shared.etags import etag, not_modified
from shared.http_fields import Flag, StatedDay
from shared.kernel.refusals import Refusal
from shared.paging import PAGE_DEFAULT, Cursor, Limit
from shared.problems import Problem, declared

router = APIRouter(prefix="/v1", tags=["declarations"], dependencies=[Depends(when_loaded)])


@router.post("/declarations", summary="Declare a customer", **described(declare, created=True))
async def declare_customer(
    body: DeclarationIn, call: AnyCall, door: Door, parts: FromParts
) -> DeclarationOut:
    """For a unit that you declare for. A manager's declaration is pre-reviewed by their professional or county unit,
    which is that of their post whatever unit they name; any other goes straight to the centre. A credit code that has
    a customer, or an earlier open declaration, is refused; similar names, addresses and telephone numbers are shown
    in `similar` and never refuse."""
    command = Declare(said(body), body.comment, body.submit)
    answer = await door.carry_out(call, "customers.declare", declare, command, shown)
    return await _as_seen_now(parts, call.caller, answer)


@router.post("/declarations/rehearse", summary="What would happen if this were declared")
async def rehearse(body: DeclarationIn, call: AnyCall, parts: FromParts) -> RehearsalOut:
    """The way it would take and by when, the form of its code, possible duplicates, what is missing or wrong. Nothing
    is kept, so that a key makes no difference."""
    require(call.caller, "customers.declare")
    async with parts.look(call.caller) as desk:
        answer = await rehearsal(said(body), desk, call.language)
    if isinstance(answer, Refusal):
        raise problem_of(answer)
    return answer


@router.get("/declarations", summary="Declarations in your scope")
async def list_declarations(
    caller: Caller,
    parts: FromParts,
    state: Literal["draft", "submitted", "pre_reviewed", "approved", "rejected", "returned", "withdrawn"]
    | None = None,
    unit: Filter = None,
    waiting_for: Literal["declarer", "pre_review", "centre"] | None = None,
    mine: Flag = False,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> DeclarationsOut:
    """The latest first. `unit` is the unit declared for or deciding, with everything below it; `mine` are those that
    you declared."""
    require(caller, "declarations.read")
    asked = {
        "state": state,
        "unit": unit,
        "waiting_for": waiting_for,
        "declarer": caller.user if mine else None,
    }
    found, following = await parts.reads.listed(caller, asked, cursor, limit)
    now, calendar = parts.unit_of_work.clock.now(), parts.desks.limits.calendar
    items = [brief(declaration, changed_at, now, calendar) for declaration, changed_at in found]
    return DeclarationsOut(items=items, next_cursor=following)


@router.get(
    "/declarations/{id}",
    summary="One declaration with its record",
    response_model=DeclarationOut,
    responses={
        **declared(UnknownDeclaration),
        304: {"description": "The version that `If-None-Match` names is the current one."},
    },
)
async def one_declaration(
    id: str, caller: Caller, request: Request, response: Response, parts: FromParts
) -> DeclarationOut | Response:
    """Answers 404 for a declaration outside your scope as for one that does not exist."""
    require(caller, "declarations.read")
    found, steps, changed_at = await _one(parts, caller, id)
    if unchanged := not_modified(request, found.version):
        return unchanged
    response.headers["etag"] = etag(found.version)
    # Candidates outside the caller's scope are found too and masked, so that this is read as the writer.
    async with parts.look(caller) as desk:
        return await whole(desk, found, steps, changed_at, sees=await sees_contacts(found, desk))


@router.get(
    "/declarations/{id}/evidence",
    summary="Its record as evidence, with seals",
    responses=declared(UnknownDeclaration),
)
async def evidence(id: str, caller: Caller, parts: FromParts) -> EvidenceOut:
    """Every step with what the declaration said after it. Each seal is the SHA-256 of the step and the seal before, so
    that a step changed, left out or added shows."""
    require(caller, "declarations.read")
    found, steps, _ = await _one(parts, caller, id)
    async with parts.look(caller) as desk:
        return evidence_of(desk, id, steps, sees=await sees_contacts(found, desk))


@router.patch(
    "/declarations/{id}",
    summary="Change a draft or a returned declaration",
    **described(edit_declaration, versioned=True),
)
async def edit(
    id: str, body: DeclarationFields, call: VersionedCall, door: Door, parts: FromParts
) -> DeclarationOut:
    """Only by its declarer. Fields that are left out stay; null takes one away."""
    command = Edit(id, said(body), changed_fields(body), body.comment)
    answer = await door.carry_out(call, None, edit_declaration, command, shown)
    return await _as_seen_now(parts, call.caller, answer)


@router.post(
    "/declarations/{id}/submit",
    summary="Hand in a draft, or a returned declaration again",
    **described(submit_declaration, versioned=True),
)
async def submit(
    id: str, body: CommentIn, call: VersionedCall, door: Door, parts: FromParts
) -> DeclarationOut:
    """Only by its declarer. A returned one goes back to whoever returned it, and their time goes on."""
    command = Submit(id, body.comment)
    answer = await door.carry_out(call, None, submit_declaration, command, shown)
    return await _as_seen_now(parts, call.caller, answer)


@router.post(
    "/declarations/{id}/withdraw",
    summary="Take a declaration back",
    **described(withdraw_declaration, versioned=True),
)
async def withdraw(
    id: str, body: CommentIn, call: VersionedCall, door: Door, parts: FromParts
) -> DeclarationOut:
    """Only by its declarer, until it is decided."""
    command = Withdraw(id, body.comment)
    answer = await door.carry_out(call, None, withdraw_declaration, command, shown)
    return await _as_seen_now(parts, call.caller, answer)


@router.post(
    "/declarations/{id}/pre-review",
    summary="Pre-review a manager's declaration",
    **described(pre_review_declaration, versioned=True),
)
async def pre_review(
    id: str, body: PreReviewIn, call: VersionedCall, door: Door, parts: FromParts
) -> DeclarationOut:
    """Pass it on to the centre, return it to the declarer, or reject it. Nobody pre-reviews their own."""
    command = Review(id, body.decision, body.comment)
    answer = await door.carry_out(call, None, pre_review_declaration, command, shown)
    return await _as_seen_now(parts, call.caller, answer)


@router.post(
    "/declarations/{id}/decide",
    summary="Decide a declaration; an approval assigns the code",
    **described(decide_declaration, versioned=True),
)
async def decide(
    id: str, body: DecideIn, call: VersionedCall, door: Door, parts: FromParts
) -> DeclarationOut:
    """For the centre, or whoever decides in its place by a delegation. An approval registers the customer in the same
    transaction and answers with its `customer_code`. Nobody decides their own."""
    command = Decide(id, body.decision, body.comment, body.manager_a, body.manager_b)
    answer = await door.carry_out(call, None, decide_declaration, command, shown)
    return await _as_seen_now(parts, call.caller, answer)


@router.get("/time-to-decision", summary="How long centres take to decide")
async def time_to_decision(
    caller: Caller,
    parts: FromParts,
    unit: Filter = None,
    from_on: Annotated[StatedDay | None, Query(alias="from")] = None,
    to_on: Annotated[StatedDay | None, Query(alias="to")] = None,
) -> DecisionTimesOut:
    """Decisions of the days `from` to `to` (default: the last 30), counted without the time at the declarer."""
    require(caller, "declarations.read")
    last = to_on or business_date(parts.unit_of_work.clock.now())
    first = from_on or last - timedelta(days=29)
    start, end = (datetime.combine(day, time(), SHANGHAI) for day in (first, last + timedelta(days=1)))
    figures: dict[str, Any] = asdict(await parts.reads.decision_times(caller, unit, start, end))
    return DecisionTimesOut.model_validate({"unit": unit, "from_on": first, "to_on": last, **figures})


async def _one(parts: Parts, caller: Principal, id: str) -> tuple[Declaration, list[Step], datetime]:
    """A declaration in the caller's scope with its record, and when it changed last. Raises the problem 404."""
    found = await parts.reads.one(caller, id) if "\x00" not in id else None
    if found is None:
        raise Problem(UnknownDeclaration())
    return found


async def _as_seen_now(parts: Parts, caller: Principal, answer: DeclarationOut) -> DeclarationOut:
    """The answer with the contacts that the caller may see now: whoever has moved away since the first of two requests
    with one key is told nothing by the second."""
    found, steps, _ = await _one(parts, caller, answer.id)
    async with parts.look(caller) as desk:
        return with_contacts(answer, steps) if await sees_contacts(found, desk) else answer
