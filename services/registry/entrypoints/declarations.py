"""Declarations over HTTP (`/v1/declarations`): declare, pre-review, decide, and what became of it (REG-1 to REG-4, REG-6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from services.registry.adapters.customers import PostgresCustomers
from services.registry.domain.declaration_record import broken_at, first_seal
from services.registry.domain.masking import masked, masked_record
from services.registry.entrypoints import declaration_problems as problems
from services.registry.entrypoints.declaration_access import sees_contacts
from services.registry.entrypoints.declaration_commands import (
    Command,
    Outcome,
    Parts,
    answered,
    command_in,
)
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
    brief,
    edited,
    said,
    shown_to,
    step_out,
    whole,
)
from services.registry.entrypoints.declaration_rehearsal import rehearsal
from services.registry.entrypoints.declaration_timers import desk_of
from services.registry.handlers.decide_declaration import (
    Ruling,
    decide_declaration,
    pre_review_declaration,
)
from services.registry.handlers.declare import (
    NewDeclaration,
    declare,
    edit_declaration,
    submit_declaration,
    withdraw_declaration,
)
from shared.auth.http import Caller, require
from shared.clock import SHANGHAI
from shared.etags import IfMatch, check_version, etag, not_modified, required_version
from shared.http_fields import Flag, StatedDay
from shared.idempotency import Asked, IdempotencyKey, unavailable
from shared.ids import new_id
from shared.paging import PAGE_DEFAULT, Cursor, Limit

Filter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


def when_loaded(loaded: Callable[[], bool]) -> Any:
    """Until the organisation is loaded every unit would be unknown."""

    async def check() -> None:
        if not loaded():
            raise unavailable()

    return Depends(check)


def routes(parts: Parts) -> APIRouter:
    """All routes of declarations."""
    router = APIRouter(prefix="/v1", tags=["declarations"], dependencies=[when_loaded(parts.loaded)])
    reads = parts.reads

    @router.post("/declarations", status_code=201, summary="Declare a customer")
    async def declare_customer(
        body: DeclarationIn,
        caller: Caller,
        request: Request,
        response: Response,
        idempotency_key: IdempotencyKey = None,
    ) -> DeclarationOut:
        """For a unit that you declare for. A manager's declaration is pre-reviewed by their professional or county unit,
        which is that of their post whatever unit they name; any other goes straight to the centre. A credit code that has
        a customer, or an earlier open declaration, is refused; similar names, addresses and telephone numbers are shown
        in `similar` and never refuse."""
        require(caller, "customers.declare")

        async def act(command: Command) -> Outcome:
            content = command.read(said(body), caller)
            assert content.content is not None and content.unit_code is not None  # noqa: S101 - `read` refuses else
            asked = NewDeclaration(
                new_id(),
                content.content,
                content.unit_code,
                command.declarer(caller, content.unit_code),
                body.comment,
                body.submit,
            )
            return await declare(asked, command.desk, PostgresCustomers(command.work))

        asked = Asked("declarations", caller.user, idempotency_key, body.model_dump())
        return await answered(parts, asked, caller, request, response, act)

    @router.post("/declarations/rehearse", summary="What would happen if this were declared")
    async def rehearse(
        body: DeclarationIn, caller: Caller, request: Request, idempotency_key: IdempotencyKey = None
    ) -> RehearsalOut:
        """The way it would take and by when, the form of its code, possible duplicates, what is missing or wrong. Nothing
        is kept, so that a key makes no difference."""
        require(caller, "customers.declare")
        async with parts.unit_of_work.rehearse() as work:
            command = await command_in(parts, work, request)
            checked = command.check(said(body), caller)
            if checked.unit_code is not None:
                require(caller, "customers.declare", command.desk.terms.units[checked.unit_code].path)
            declarer = command.declarer(caller, checked.unit_code or "")
            return await rehearsal(
                said(body), checked, caller, declarer, command.desk, work, parts.rules, command.language
            )

    @router.get("/declarations", summary="Declarations in your scope")
    async def list_declarations(
        caller: Caller,
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
        given = {
            "state": state,
            "unit": unit,
            "waiting_for": waiting_for,
            "declarer": caller.user if mine else None,
        }
        filters = {name: value for name, value in given.items() if value is not None}
        found, following = await reads.listed(caller, filters, cursor, limit, parts.today())
        now, calendar = parts.clock.now(), parts.limits.calendar
        items = [brief(declaration, changed_at, now, calendar) for declaration, changed_at in found]
        return DeclarationsOut.model_validate({"items": items, "next_cursor": following})

    @router.get(
        "/declarations/{id}",
        summary="One declaration with its record",
        response_model=DeclarationOut,
        responses={304: {"description": "The version that `If-None-Match` names is the current one."}},
    )
    async def one_declaration(id: str, caller: Caller, request: Request, response: Response) -> Any:
        """Answers 404 for a declaration outside your scope as for one that does not exist."""
        require(caller, "declarations.read")
        found = await reads.one(caller, id, parts.today()) if "\x00" not in id else None
        if found is None:
            raise problems.unknown_declaration()
        declaration, steps, changed_at = found
        if unchanged := not_modified(request, declaration.version):
            return unchanged
        response.headers["etag"] = etag(declaration.version)
        # Candidates outside the caller's scope are found too and masked, so that this is read as the writer.
        async with parts.unit_of_work.rehearse() as work:
            desk = await desk_of(work, parts.limits, parts.rules.default_unit)
            similar = shown_to(caller, await desk.declarations.candidates(declaration.content, id))
            seen = await sees_contacts(work, declaration, caller, desk.terms)
        shown = declaration if seen else replace(declaration, content=masked(declaration.content))
        return whole(
            shown, steps, similar, changed_at, desk.now, parts.limits.calendar, contacts_masked=not seen
        )

    @router.get("/declarations/{id}/evidence", summary="Its record as evidence, with seals")
    async def evidence(id: str, caller: Caller) -> EvidenceOut:
        """Every step with what the declaration said after it. Each seal is the SHA-256 of the step and the seal before, so
        that a step changed, left out or added shows."""
        require(caller, "declarations.read")
        found = await reads.one(caller, id, parts.today()) if "\x00" not in id else None
        if found is None:
            raise problems.unknown_declaration()
        declaration, steps, _ = found
        async with parts.unit_of_work.rehearse() as work:
            desk = await desk_of(work, parts.limits, parts.rules.default_unit)
            seen = await sees_contacts(work, declaration, caller, desk.terms)
        return EvidenceOut.model_validate(
            {
                "declaration_id": id,
                "first_seal": first_seal(id),
                "last_seal": steps[-1].sha256 if steps else None,
                "intact": broken_at(id, steps) is None,
                "exported_at": parts.clock.now(),
                "exported_by": caller.user,
                "contacts_masked": not seen,
                "steps": [
                    {
                        **step_out(step),
                        "content": step.content
                        if seen or step.content is None
                        else masked_record(step.content),
                    }
                    for step in steps
                ],
            }
        )

    @router.patch("/declarations/{id}", summary="Change a draft or a returned declaration")
    async def edit(
        id: str,
        body: DeclarationFields,
        caller: Caller,
        request: Request,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> DeclarationOut:
        """Only by its declarer. Fields that are left out stay; null takes one away."""

        async def act(command: Command) -> Outcome:
            found = await command.own(id, caller)
            check_version(required_version(if_match), found.version)
            fields = command.read(edited(found, body), caller, found)
            assert fields.content is not None and fields.unit_code is not None  # noqa: S101 - `read` refuses else
            return await edit_declaration(
                found,
                fields.content,
                fields.unit_code,
                command.declarer(caller, fields.unit_code, found),
                body.comment,
                command.desk,
                PostgresCustomers(command.work),
            )

        sent = body.model_dump(exclude_unset=True)
        asked = Asked(f"declarations/{id}", caller.user, idempotency_key, sent)
        return await answered(parts, asked, caller, request, response, act)

    @router.post("/declarations/{id}/submit", summary="Hand in a draft, or a returned declaration again")
    async def submit(
        id: str,
        body: CommentIn,
        caller: Caller,
        request: Request,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> DeclarationOut:
        """Only by its declarer. A returned one goes back to whoever returned it, and their time goes on."""

        async def act(command: Command) -> Outcome:
            found = await command.own(id, caller)
            check_version(required_version(if_match), found.version)
            # Staff, units and divisions may have changed since it was written.
            command.read(edited(found, DeclarationFields()), caller, found)
            declarer = command.declarer(caller, found.unit_code, found)
            return await submit_declaration(
                found, declarer, body.comment, command.desk, PostgresCustomers(command.work)
            )

        asked = Asked(f"declarations/{id}/submit", caller.user, idempotency_key, body.model_dump())
        return await answered(parts, asked, caller, request, response, act)

    @router.post("/declarations/{id}/withdraw", summary="Take a declaration back")
    async def withdraw(
        id: str,
        body: CommentIn,
        caller: Caller,
        request: Request,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> DeclarationOut:
        """Only by its declarer, until it is decided."""

        async def act(command: Command) -> Outcome:
            found = await command.own(id, caller)
            check_version(required_version(if_match), found.version)
            return await withdraw_declaration(found, caller.user, body.comment, command.desk)

        asked = Asked(f"declarations/{id}/withdraw", caller.user, idempotency_key, body.model_dump())
        return await answered(parts, asked, caller, request, response, act)

    @router.post("/declarations/{id}/pre-review", summary="Pre-review a manager's declaration")
    async def pre_review(
        id: str,
        body: PreReviewIn,
        caller: Caller,
        request: Request,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> DeclarationOut:
        """Pass it on to the centre, return it to the declarer, or reject it. Nobody pre-reviews their own."""

        async def act(command: Command) -> Outcome:
            found = await command.visible(id, caller)
            command.pre_reviewer(found, caller)
            command.undecided_by_another(found, caller)
            check_version(required_version(if_match), found.version)
            command.commented(body.decision != "pass", body.comment)
            return await pre_review_declaration(found, body.decision, caller.user, body.comment, command.desk)

        asked = Asked(f"declarations/{id}/pre-review", caller.user, idempotency_key, body.model_dump())
        return await answered(parts, asked, caller, request, response, act)

    @router.post("/declarations/{id}/decide", summary="Decide a declaration; an approval assigns the code")
    async def decide(
        id: str,
        body: DecideIn,
        caller: Caller,
        request: Request,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> DeclarationOut:
        """For the centre, or whoever decides in its place by a delegation. An approval registers the customer in the same
        transaction and answers with its `customer_code`. Nobody decides their own."""

        async def act(command: Command) -> Outcome:
            found = await command.visible(id, caller)
            acted_for = await command.decider(found, caller)
            command.undecided_by_another(found, caller)
            check_version(required_version(if_match), found.version)
            command.commented(body.decision != "approve", body.comment)
            ruling = Ruling(
                body.decision,
                caller.user,
                body.comment,
                acted_for,
                command.manager("manager_a", body.manager_a),
                command.manager("manager_b", body.manager_b),
            )
            customers = PostgresCustomers(command.work)
            return await decide_declaration(found, ruling, command.desk, parts.rules, customers)

        asked = Asked(f"declarations/{id}/decide", caller.user, idempotency_key, body.model_dump())
        return await answered(parts, asked, caller, request, response, act)

    @router.get("/time-to-decision", summary="How long centres take to decide")
    async def time_to_decision(
        caller: Caller,
        unit: Filter = None,
        from_on: Annotated[StatedDay | None, Query(alias="from")] = None,
        to_on: Annotated[StatedDay | None, Query(alias="to")] = None,
    ) -> DecisionTimesOut:
        """Decisions of the days `from` to `to` (default: the last 30), counted without the time at the declarer."""
        require(caller, "declarations.read")
        last = to_on or parts.today()
        first = from_on or last - timedelta(days=29)
        found = await reads.decision_times(
            caller, unit, _midnight(first), _midnight(last + timedelta(days=1)), parts.today()
        )
        figures = {name: getattr(found, name) for name in found.__slots__}
        return DecisionTimesOut.model_validate({"unit": unit, "from_on": first, "to_on": last, **figures})

    return router


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
