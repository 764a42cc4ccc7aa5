"""Commands of those who decide: the pre-review of a unit, and the centre's decision with its code (REG-2 to REG-4).

An approval registers the customer: code, first version, managers and every word about it are one transaction. Whoever
decides holds the declaration's row, and registrations stand in line, so that of many who approve at one moment one
does, and what dies half-way has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.registry.domain import declarations as life
from services.registry.domain.customers import Customer, Fact
from services.registry.domain.declaration_refusals import (
    NO_CODE,
    AlreadyDecided,
    ClosedUnit,
    DeclaredEarlier,
    DuplicateCreditCode,
    NoCode,
    NotAtCentre,
    NotInPreReview,
    OwnCustomer,
    OwnRequest,
    RangeExhausted,
    SingleManager,
    UnitWithoutDivision,
    UnknownDeclaration,
)
from services.registry.domain.declarations import Decision, Declaration, PreReview
from services.registry.domain.delegating import own_customer
from services.registry.domain.registering import (
    Grounds,
    NotRegistered,
    Registered,
    Registrant,
    divisions_of,
    register,
)
from services.registry.handlers.code_ranges import last_serials, tell_low_ranges
from services.registry.handlers.declaration_access import (
    commented,
    deputised_by,
    pre_reviews,
    undecided_by_another,
    visible,
)
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declaration_steps import keep
from services.registry.handlers.declare import credit_code_taken
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import Change
from shared.auth.policy import Forbidden, NotPermitted, OutOfScope, permit
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import BrokenFields, Fault, Refusal


@dataclass(frozen=True, slots=True)
class Review:
    """The unit's word on its manager's declaration."""

    declaration_id: str
    decision: PreReview
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Decide:
    """The centre's decision. The managers are those who are to be bound instead of the ones proposed."""

    declaration_id: str
    decision: Decision
    comment: str | None = None
    manager_a: str | None = None
    manager_b: str | None = None


async def pre_review_declaration(
    command: Review, desk: Desk
) -> (
    Done[Declaration]
    | UnknownDeclaration
    | Forbidden
    | OutOfScope
    | OwnRequest
    | AlreadyDecided
    | ChangedMeanwhile
    | BrokenFields
    | NotInPreReview
):
    """Passes a manager's declaration on to the centre, sends it back, or ends it."""
    found = await visible(command.declaration_id, desk)
    if isinstance(found, Refusal):
        return found
    if refusal := (
        _may_pre_review(found, desk)
        or undecided_by_another(found, desk)
        or stale(desk.version, found.version)
        or commented(command.decision != "pass", command.comment)
    ):
        return refusal
    moved = life.pre_review(found, command.decision, desk.caller.user, desk.now, desk.terms, command.comment)
    return moved if isinstance(moved, Refusal) else Done(await keep(found, moved, desk))


async def decide_declaration(
    command: Decide, desk: Desk
) -> (
    Done[Declaration]
    | UnknownDeclaration
    | Forbidden
    | OutOfScope
    | OwnRequest
    | OwnCustomer
    | AlreadyDecided
    | ChangedMeanwhile
    | BrokenFields
    | SingleManager
    | NotAtCentre
    | DuplicateCreditCode
    | DeclaredEarlier
    | ClosedUnit
    | UnitWithoutDivision
    | RangeExhausted
):
    """Decides a declaration that stands at the centre, as oneself or in the place of another."""
    found = await visible(command.declaration_id, desk)
    if isinstance(found, Refusal):
        return found
    acted_for = await _decides_for(found, desk)
    if isinstance(acted_for, Refusal):
        return acted_for
    if refusal := (
        undecided_by_another(found, desk)
        or stale(desk.version, found.version)
        or commented(command.decision != "approve", command.comment)
    ):
        return refusal
    managers = _managers(command, desk)
    if isinstance(managers, Refusal):
        return managers
    person = desk.caller.user
    if acted_for is not None and (barred := own_customer(found, person, managers)):
        return barred
    after = _with_managers(found, *managers) if command.decision == "approve" else found
    if isinstance(after, Refusal):
        return after
    moved = life.decide(after, command.decision, person, desk.now, desk.terms, command.comment, acted_for)
    if isinstance(moved, Refusal):
        return moved
    if command.decision == "approve":
        registered = await _register(after, desk)
        if isinstance(registered, Refusal):
            return registered
        moved = life.with_code(moved, registered.code)
    return Done(await keep(found, moved, desk))


def _may_pre_review(found: Declaration, desk: Desk) -> NotPermitted | None:
    if pre_reviews(found, desk):
        return None
    path = found.pre_review_path or found.deciding_path
    return permit(desk.caller, "declarations.pre_review", path)


async def _decides_for(found: Declaration, desk: Desk) -> str | NotPermitted | None:
    """The person for whom the caller decides, None for themselves."""
    refusal = permit(desk.caller, "declarations.decide", found.deciding_path)
    if refusal is None:
        return None
    # One who declared it lends nobody the right to decide it.
    others = await deputised_by(found, desk)
    return next((each for each in others if each != found.declarer), next(iter(others), refusal))


def _managers(command: Decide, desk: Desk) -> tuple[str | None, str | None] | BrokenFields:
    """The users that the command names by user or by name."""
    found: list[str | None] = []
    for field, given in (("manager_a", command.manager_a), ("manager_b", command.manager_b)):
        name = (given or "").strip()
        user = desk.organisation.managers.get(name) if name else None
        if name and user is None:
            return BrokenFields((Fault(f"/{field}", "unknown_manager"),))
        found.append(user)
    return found[0], found[1]


def _with_managers(
    found: Declaration, manager_a: str | None, manager_b: str | None
) -> Declaration | SingleManager:
    content = replace(
        found.content,
        manager_a=manager_a or found.content.manager_a,
        manager_b=manager_b or found.content.manager_b,
    )
    if content.manager_a is not None and content.manager_a == content.manager_b:
        return SingleManager(content.manager_a)
    return replace(found, content=content)


async def _register(
    declaration: Declaration, desk: Desk
) -> Customer | DuplicateCreditCode | DeclaredEarlier | NoCode:
    """The customer of an approved declaration. Its unit was in the declarer's scope and is in the decider's."""
    content, units, issuing = declaration.content, desk.terms.units, desk.rules.issuing
    await desk.customers.lock_registrations()
    if content.uscc is not None and (taken := await credit_code_taken(content.uscc, declaration.id, desk)):
        return taken
    registrant = Registrant(
        name=content.name,
        unit_code=declaration.unit_code,
        uscc=content.uscc,
        division=content.division,
        industry=content.industry,
        manager_a=content.manager_a,
        manager_b=content.manager_b,
    )
    book = await desk.customers.load_book([registrant], divisions_of([registrant], units), issuing)
    before = last_serials(book.ranges)
    grounds = Grounds(desk.now, desk.terms.today, units, desk.rules.schemes, issuing)
    registered = register(book, registrant, grounds)
    if isinstance(registered, NotRegistered):
        return NO_CODE[registered.reasons[0]](registered.reasons)
    customer, person = registered.customer, desk.caller.user
    change = Change(None, customer, registered.assignment)
    await desk.customers.store_changes([change], book, units, issuing, person)
    publish_customer(desk.publish, customer, _facts(declaration, registered), units, person, desk.now)
    tell_low_ranges(book.ranges, before, units, desk.publish, desk.now)
    return customer


def _facts(declaration: Declaration, registered: Registered) -> tuple[Fact, ...]:
    named: dict[str, object] = {"declaration_id": declaration.id}
    declared = Fact("declared", named, declaration.declarer, declaration.submitted_at)
    others = [replace(fact, details={**fact.details, **named}) for fact in registered.facts]
    return (declared, Fact("approved", named), *others)
