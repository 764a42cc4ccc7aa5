"""Commands of those who decide: the pre-review of a unit, and the centre's decision with its code (REG-2 to REG-4).

An approval registers the customer: code, first version, managers and every word about it are one transaction. Whoever
decides holds the declaration's row, and registrations stand in line, so that of many who approve at one moment one
does, and what dies half-way has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.registry.domain import declarations as rules
from services.registry.domain.customers import Customer, Fact
from services.registry.domain.declarations import Decision, Declaration, PreReview, Refused
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
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declaration_steps import keep
from services.registry.handlers.declare import Blocked, blocked_by
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import Change, Customers, Rules


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision as it is asked for. The managers are those who are to be bound instead of the ones proposed."""

    decision: Decision
    person: str
    comment: str | None = None
    acted_for: str | None = None
    manager_a: str | None = None
    manager_b: str | None = None


async def pre_review_declaration(
    found: Declaration, decision: PreReview, person: str, comment: str | None, desk: Desk
) -> Declaration | Refused:
    """Passes a manager's declaration on to the centre, sends it back, or ends it."""
    moved = rules.pre_review(found, decision, person, desk.now, desk.terms, comment)
    return moved if isinstance(moved, Refused) else await keep(found, moved, desk)


async def decide_declaration(
    found: Declaration, ruling: Ruling, desk: Desk, settings: Rules, customers: Customers
) -> Declaration | Refused | Blocked:
    """Decides a declaration that stands at the centre; its row is locked."""
    if ruling.acted_for is not None:
        refused = own_customer(found, ruling.person, (ruling.manager_a, ruling.manager_b))
        if refused is not None:
            return refused
    after = _with_managers(found, ruling)
    if isinstance(after, Refused):
        return after
    moved = rules.decide(
        after, ruling.decision, ruling.person, desk.now, desk.terms, ruling.comment, ruling.acted_for
    )
    if isinstance(moved, Refused):
        return moved
    if ruling.decision != "approve":
        return await keep(found, moved, desk)
    registered = await _register(after, ruling, desk, settings, customers)
    if not isinstance(registered, Customer):
        return registered
    return await keep(found, rules.with_code(moved, registered.code), desk)


def _with_managers(found: Declaration, ruling: Ruling) -> Declaration | Refused:
    if ruling.decision != "approve":
        return found
    content = replace(
        found.content,
        manager_a=ruling.manager_a or found.content.manager_a,
        manager_b=ruling.manager_b or found.content.manager_b,
    )
    if content.manager_a is not None and content.manager_a == content.manager_b:
        return Refused("single_manager", {"manager": content.manager_a})
    return replace(found, content=content)


async def _register(
    declaration: Declaration, ruling: Ruling, desk: Desk, settings: Rules, customers: Customers
) -> Customer | Refused | Blocked:
    """The customer of an approved declaration. Its unit was in the declarer's scope and is in the decider's."""
    content, units = declaration.content, desk.terms.units
    await customers.lock_registrations()
    if content.uscc is not None and (blocked := await blocked_by(content.uscc, declaration.id, desk)):
        return blocked
    registrant = Registrant(
        name=content.name,
        unit_code=declaration.unit_code,
        uscc=content.uscc,
        division=content.division,
        industry=content.industry,
        manager_a=content.manager_a,
        manager_b=content.manager_b,
    )
    book = await customers.load_book([registrant], divisions_of([registrant], units), settings.issuing)
    before = last_serials(book.ranges)
    grounds = Grounds(desk.now, desk.terms.today, units, settings.schemes, settings.issuing)
    registered = register(book, registrant, grounds)
    if isinstance(registered, NotRegistered):
        return Refused(registered.reasons[0], {"reasons": list(registered.reasons)})
    customer = registered.customer
    change = Change(None, customer, registered.assignment)
    await customers.store_changes([change], book, units, settings.issuing, ruling.person)
    publish_customer(desk.publish, customer, _facts(declaration, registered), units, ruling.person, desk.now)
    tell_low_ranges(book.ranges, before, units, desk.publish, desk.now)
    return customer


def _facts(declaration: Declaration, registered: Registered) -> tuple[Fact, ...]:
    named: dict[str, object] = {"declaration_id": declaration.id}
    declared = Fact("declared", named, declaration.declarer, declaration.submitted_at)
    others = [replace(fact, details={**fact.details, **named}) for fact in registered.facts]
    return (declared, Fact("approved", named), *others)
