"""Commands of the declarer: declare a customer, change what was said, hand it in, take it back (REG-1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.registry.domain import declarations as rules
from services.registry.domain.declarations import Content, Declaration, Declarer, Moved, Refused
from services.registry.handlers.declaration_ports import Desk, Holder
from services.registry.handlers.declaration_steps import keep
from services.registry.handlers.ports import Customers


@dataclass(frozen=True, slots=True)
class NewDeclaration:
    """A declaration as it is asked for; handed in at once unless it is to stay a draft."""

    id: str
    content: Content
    unit_code: str
    declarer: Declarer
    comment: str | None
    hand_in: bool


@dataclass(frozen=True, slots=True)
class Blocked:
    """Refusal: the credit code is a customer's (`duplicate_credit_code`) or was declared before (`declared_earlier`)."""

    reason: str
    holder: Holder


async def declare(asked: NewDeclaration, desk: Desk, customers: Customers) -> Declaration | Refused | Blocked:
    """A new declaration in one version, whether or not it is handed in at once."""
    moved: Moved | Refused = rules.declare(
        asked.id,
        asked.content,
        asked.unit_code,
        asked.declarer,
        desk.now,
        desk.terms,
        asked.comment,
    )
    if asked.hand_in and isinstance(moved, Moved):
        if blocked := await _blocked(asked.content, asked.id, desk, customers):
            return blocked
        declared = moved
        moved = rules.submit(moved.after, asked.declarer, desk.now, desk.terms)
        if isinstance(moved, Moved):
            moved = replace(moved, notes=(*declared.notes, *moved.notes))
    return moved if isinstance(moved, Refused) else await keep(None, moved, desk)


async def edit_declaration(
    found: Declaration,
    content: Content,
    unit_code: str,
    declarer: Declarer,
    comment: str | None,
    desk: Desk,
    customers: Customers,
) -> Declaration | Refused | Blocked:
    """Changes what a draft or a returned declaration says."""
    moved = rules.edit(found, content, unit_code, declarer, desk.now, desk.terms, comment)
    if isinstance(moved, Refused):
        return moved
    # A returned declaration is still open: the credit code that it comes to have must be free like any other's.
    renamed = found.state == "returned" and content.uscc != found.content.uscc
    if renamed and (blocked := await _blocked(content, found.id, desk, customers)):
        return blocked
    return await keep(found, moved, desk)


async def submit_declaration(
    found: Declaration, declarer: Declarer, comment: str | None, desk: Desk, customers: Customers
) -> Declaration | Refused | Blocked:
    """Hands a draft in, or a returned declaration once more."""
    moved = rules.submit(found, declarer, desk.now, desk.terms, comment)
    if isinstance(moved, Refused):
        return moved
    if blocked := await _blocked(found.content, found.id, desk, customers):
        return blocked
    return await keep(found, moved, desk)


async def withdraw_declaration(
    found: Declaration, person: str, comment: str | None, desk: Desk
) -> Declaration | Refused:
    """Takes a declaration back."""
    moved = rules.withdraw(found, person, desk.now, desk.terms, comment)
    return moved if isinstance(moved, Refused) else await keep(found, moved, desk)


async def _blocked(content: Content, id: str, desk: Desk, customers: Customers) -> Blocked | None:
    if content.uscc is None:
        return None
    # In line with all registrations: of two declarations of one customer the first to commit is the earlier one, and a
    # customer that is being registered at this moment is waited for.
    await customers.lock_registrations()
    return await blocked_by(content.uscc, id, desk)


async def blocked_by(uscc: str, id: str, desk: Desk) -> Blocked | None:
    """What stands in the way of declaring this credit code."""
    if holder := await desk.declarations.customer_of(uscc):
        return Blocked("duplicate_credit_code", holder)
    if earlier := await desk.declarations.open_of(uscc, id):
        return Blocked("declared_earlier", earlier)
    return None
