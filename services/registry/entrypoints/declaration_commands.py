"""One command on a declaration, inside its transaction: who may, what is asked of every one, and its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from fastapi import Request, Response

from services.registry.adapters.declaration_reads import DeclarationReads
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.domain.declarations import DECIDED, Declaration, Declarer, Refused
from services.registry.domain.declaring import Fault, Knowledge, Read, Said, read
from services.registry.domain.masking import masked
from services.registry.domain.time_limits import TimeLimits
from services.registry.entrypoints import declaration_problems as problems
from services.registry.entrypoints.declaration_access import deputised_by, pre_reviews, sees_contacts
from services.registry.entrypoints.declaration_models import (
    ContactOut,
    DeclarationOut,
    contacts_of,
    shown_to,
    whole,
)
from services.registry.entrypoints.declaration_timers import desk_of
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declare import (
    Blocked,
)
from services.registry.handlers.ports import Organisation, Rules
from shared.auth.http import require
from shared.auth.policy import TABLE, permit
from shared.auth.principals import Principal
from shared.clock import Clock, business_date
from shared.etags import etag
from shared.idempotency import Asked, answered_once
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.texts import Language, language_of

Outcome = Declaration | Refused | Blocked


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes are made of."""

    unit_of_work: UnitOfWork
    reads: DeclarationReads
    rules: Rules
    limits: TimeLimits
    industries: dict[str, str]
    loaded: Callable[[], bool]

    @property
    def clock(self) -> Clock:
        return self.unit_of_work.clock

    def today(self) -> date:
        return business_date(self.clock.now())


@dataclass(frozen=True, slots=True)
class Command:
    """One command inside its transaction: what it works with, and the questions that every command asks."""

    work: Work
    desk: Desk
    organisation: Organisation
    language: Language
    parts: Parts

    def check(self, fields: Said, caller: Principal, found: Declaration | None = None) -> Read:
        """The fields with everything that is wrong with them."""
        by = self.declarer(caller, (fields.unit_code or "").strip(), found).declared_by
        knowledge = Knowledge(
            self.organisation.units,
            self.parts.rules.divisions,
            self.organisation.managers,
            self.parts.industries,
            self.desk.terms.today,
        )
        return read(fields, knowledge, by, caller.user)

    def declarer(self, caller: Principal, unit_code: str, found: Declaration | None = None) -> Declarer:
        """Who declares for this unit: a manager by the unit of their post, or the unit itself by one of its people."""
        unit = self.desk.terms.units.get(unit_code)
        managing = [] if unit is None else _managing(caller, unit.path)
        as_manager = bool(managing) if found is None else found.declared_by == "manager"
        if not as_manager:
            return Declarer(caller.user)
        # Who is on no staff list works where their role is.
        return Declarer(
            caller.user, self.organisation.posts.get(caller.user) or next(iter(managing), unit_code)
        )

    def read(self, fields: Said, caller: Principal, found: Declaration | None = None) -> Read:
        """The fields, of a unit that the caller declares for. Raises 403, and 422 with every broken field."""
        checked = self.check(fields, caller, found)
        if checked.unit_code is not None:
            require(caller, "customers.declare", self.desk.terms.units[checked.unit_code].path)
        if checked.faults:
            raise problems.broken_fields(checked.faults, self.language)
        return checked

    def commented(self, needed: bool, comment: str | None) -> None:
        if needed and not (comment or "").strip():
            raise problems.broken_fields([Fault("/comment", "missing_comment")], self.language)

    def manager(self, field: str, name: str | None) -> str | None:
        if name is None or not name.strip():
            return None
        user = self.organisation.managers.get(name.strip())
        if user is None:
            raise problems.broken_fields([Fault(f"/{field}", "unknown_manager")], self.language)
        return user

    async def visible(self, id: str, caller: Principal) -> Declaration:
        """A declaration, locked, that the caller may know of. Raises 404."""
        found = await self.desk.declarations.locked(id) if "\x00" not in id else None
        if found is None:
            raise problems.unknown_declaration()
        # Who declared it and has moved away since reads it no more.
        own = (found.content.manager_a, found.content.manager_b, found.declarer)
        seen = (
            permit(caller, "declarations.read", found.unit_path, own) is None
            or (
                found.pre_review_path is not None
                and permit(caller, "declarations.read", found.pre_review_path) is None
            )
            or permit(caller, "declarations.read", found.deciding_path) is None
            or await deputised_by(self.work, found, caller, self.desk.terms)
        )
        if not seen:
            raise problems.unknown_declaration()
        return found

    async def own(self, id: str, caller: Principal) -> Declaration:
        """A declaration, locked, of the caller's own that is not decided."""
        found = await self.visible(id, caller)
        if found.declarer != caller.user:
            raise problems.not_declarer()
        if found.state in DECIDED:
            raise problems.already_decided(found)
        return found

    def pre_reviewer(self, found: Declaration, caller: Principal) -> None:
        """Raises 403 for somebody who does not pre-review here."""
        if not pre_reviews(found, caller, self.desk.terms):
            require(caller, "declarations.pre_review", found.pre_review_path or found.deciding_path)

    async def decider(self, found: Declaration, caller: Principal) -> str | None:
        """The person for whom the caller decides, None for themselves. Raises 403 for somebody who does not decide here."""
        if permit(caller, "declarations.decide", found.deciding_path) is None:
            return None
        # One who declared it lends nobody the right to decide it.
        others = await deputised_by(self.work, found, caller, self.desk.terms)
        granted = next((each for each in others if each != found.declarer), next(iter(others), None))
        if granted is None:
            require(caller, "declarations.decide", found.deciding_path)
        return granted

    def undecided_by_another(self, found: Declaration, caller: Principal) -> None:
        """The caller declared it, or it is decided: both are told before any question of versions."""
        if found.declarer == caller.user:
            raise problems.refusal(Refused("own_request"))
        if found.state in DECIDED:
            raise problems.already_decided(found)


def _managing(caller: Principal, unit_path: str) -> list[str]:
    """The units of the roles by which the caller is nothing but a manager there, the nearest first; else none."""
    grants = [
        grant
        for grant in caller.roles
        if grant.role in TABLE["customers.declare"] and grant.covers(unit_path)
    ]
    if {grant.role for grant in grants} != {"manager"}:
        return []
    return [grant.unit for grant in sorted(grants, key=lambda grant: len(grant.path), reverse=True)]


async def command_in(parts: Parts, work: Work, request: Request) -> Command:
    organisation = await PostgresOrganisations(work).load()
    desk = await desk_of(work, parts.limits, parts.rules.default_unit)
    language = language_of(request.headers.get("accept-language"))
    return Command(work, desk, organisation, language, parts)


async def answered(
    parts: Parts,
    asked: Asked,
    caller: Principal,
    request: Request,
    response: Response,
    act: Callable[[Command], Awaitable[Outcome]],
) -> DeclarationOut:
    """Runs a command once, and answers the whole declaration as it now is."""

    async def run(work: Work) -> Any:
        command = await command_in(parts, work, request)
        done = await act(command)
        # Raised inside the transaction, so that nothing of it stays, the key included.
        if isinstance(done, Refused):
            raise problems.refusal(done)
        if isinstance(done, Blocked):
            raise problems.blocked(done, command.desk.terms.units, caller)
        store = command.desk.declarations
        # What is kept for a repetition holds no contacts.
        shown = whole(
            replace(done, content=masked(done.content)),
            await store.steps(done.id),
            shown_to(caller, await store.candidates(done.content, done.id)),
            work.now,
            work.now,
            parts.limits.calendar,
            contacts_masked=True,
        )
        return DeclarationOut.model_validate(shown).model_dump(mode="json")

    answer = DeclarationOut.model_validate(await answered_once(parts.unit_of_work, asked, run))
    response.headers["etag"] = etag(answer.version)
    return await _with_contacts(parts, caller, request, answer)


async def _with_contacts(
    parts: Parts, caller: Principal, request: Request, answer: DeclarationOut
) -> DeclarationOut:
    """The answer with the contacts that the caller may see now: whoever has moved away since the first of two requests
    with one key is told nothing by the second."""
    found = await parts.reads.one(caller, answer.id, parts.today())
    if found is None:
        raise problems.unknown_declaration()
    declaration = found[0]
    if declaration.version != answer.version:
        return answer
    async with parts.unit_of_work.rehearse() as work:
        command = await command_in(parts, work, request)
        if not await sees_contacts(work, declaration, caller, command.desk.terms):
            return answer
    contacts = [ContactOut.model_validate(each) for each in contacts_of(declaration.content)]
    return answer.model_copy(
        update={"contacts": contacts, "address": declaration.content.address, "contacts_masked": False}
    )
