"""Commands of those who decide: the pre-review of a unit, and the centre's decision with its code (REG-2 to REG-4).

An approval registers the customer: code, first version, managers and every word about it are one transaction. Whoever
decides holds the declaration's row, and registrations stand in line, so that of many who approve at one moment one
does, and what dies half-way has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.registry.domain import declarations as rules
from services.registry.domain.customers import Customer, Fact
from services.registry.domain.declarations import Content, Decision, Declaration, Moved, PreReview, Refused
from services.registry.domain.delegating import own_customer
from services.registry.domain.importing import ImportRow, Loaded, Policy, Rejected, register
from services.registry.domain.organisation import assigning_division
from services.registry.handlers.code_ranges import last_serials, tell_low_ranges
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declaration_steps import keep
from services.registry.handlers.declare import Blocked, blocked_by
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import Customers, Rules


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
    moved = _decided(after, ruling, desk, None)
    if isinstance(moved, Refused) or ruling.decision != "approve":
        return moved if isinstance(moved, Refused) else await keep(found, moved, desk)
    registered = await _register(after, ruling, desk, settings, customers)
    if not isinstance(registered, Customer):
        return registered
    decided = _decided(after, ruling, desk, registered.code)
    return decided if isinstance(decided, Refused) else await keep(found, decided, desk)


def _decided(declaration: Declaration, ruling: Ruling, desk: Desk, code: str | None) -> Moved | Refused:
    return rules.decide(
        declaration,
        ruling.decision,
        ruling.person,
        desk.now,
        desk.terms,
        ruling.comment,
        ruling.acted_for,
        code,
    )


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
    """The customer of an approved declaration, made in the same way as one that is imported."""
    content, units = declaration.content, desk.terms.units
    await customers.lock_registrations()
    if content.uscc is not None and (blocked := await blocked_by(content.uscc, declaration.id, desk)):
        return blocked
    row = _row(content, declaration.unit_code)
    division = assigning_division(units, declaration.unit_code)
    book = await customers.load_book([row], {division} - {None}, settings.issuing)  # type: ignore[arg-type]
    before = last_serials(book.ranges)
    outcome = register(book, row, declaration.unit_code, _policy(declaration, desk, settings))
    if isinstance(outcome, Rejected):
        return Refused(outcome.reasons[0], {"reasons": list(outcome.reasons)})
    told = replace(outcome, facts=_facts(declaration, outcome, desk))
    await customers.store_rows([told], book, units, settings.issuing, ruling.person)
    publish_customer(desk.publish, told.after, told.facts, units, ruling.person, desk.now)
    tell_low_ranges(book.ranges, before, units, desk.publish, desk.now)
    return told.after


def _row(content: Content, unit_code: str) -> ImportRow:
    return ImportRow(
        row=0,
        name=content.name,
        uscc=content.uscc,
        unit_code=unit_code,
        division=content.division,
        industry=content.industry,
        kind="potential",
        manager_a=content.manager_a,
        manager_b=content.manager_b,
    )


def _policy(declaration: Declaration, desk: Desk, settings: Rules) -> Policy:
    # The unit was in the declarer's scope and is in the decider's: both were asked before.
    return Policy(
        now=desk.now,
        today=desk.terms.today,
        units=desk.terms.units,
        divisions=settings.divisions,
        managers={},
        schemes=settings.schemes,
        issuing=settings.issuing,
        default_unit=settings.default_unit,
        scopes=(desk.terms.units[declaration.unit_code].path,),
    )


def _facts(declaration: Declaration, loaded: Loaded, desk: Desk) -> tuple[Fact, ...]:
    named: dict[str, object] = {"declaration_id": declaration.id}
    declared = Fact("declared", named, declaration.declarer, declaration.submitted_at)
    others = [
        replace(fact, details={**fact.details, **named}) for fact in loaded.facts if fact.what != "imported"
    ]
    return (declared, Fact("approved", named), *others)
