"""Commands of the declarer: declare a customer, change what was said, hand it in, take it back (REG-1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.registry.domain import declarations as life
from services.registry.domain.declaration_refusals import (
    AlreadyDecided,
    DeclaredEarlier,
    DuplicateCreditCode,
    NotDeclarer,
    NotEditable,
    NotSubmittable,
    NotWithdrawable,
    UnitFixed,
    UnknownDeclaration,
)
from services.registry.domain.declarations import Content, Declaration
from services.registry.domain.declaring import Said, said_again
from services.registry.handlers.declaration_access import own
from services.registry.handlers.declaration_fields import sound_fields
from services.registry.handlers.declaration_ports import Desk, Holder
from services.registry.handlers.declaration_steps import keep
from shared.auth.policy import Forbidden, OutOfScope, permit
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import BrokenFields, Refusal


@dataclass(frozen=True, slots=True)
class Declare:
    """Declare a customer; handed in at once unless it is to stay a draft."""

    said: Said
    comment: str | None
    hand_in: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Change the fields of `said` that are named in `changed`."""

    declaration_id: str
    said: Said
    changed: tuple[str, ...]
    comment: str | None


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand a draft in, or a returned declaration once more."""

    declaration_id: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a declaration back."""

    declaration_id: str
    comment: str | None


async def declare(
    command: Declare, desk: Desk
) -> (
    Done[Declaration]
    | Forbidden
    | OutOfScope
    | BrokenFields
    | NotSubmittable
    | DuplicateCreditCode
    | DeclaredEarlier
):
    """A new declaration in one version, whether or not it is handed in at once."""
    fields = sound_fields(command.said, desk)
    if isinstance(fields, Refusal):
        return fields
    id, declarer = desk.new_id(), fields.declarer
    moved = life.declare(
        id, fields.content, fields.unit_code, declarer, desk.now, desk.terms, command.comment
    )
    if command.hand_in:
        if taken := await _taken(fields.content, id, desk):
            return taken
        submitted = life.submit(moved.after, declarer, desk.now, desk.terms)
        if isinstance(submitted, Refusal):
            return submitted
        moved = replace(submitted, notes=(*moved.notes, *submitted.notes))
    return Done(await keep(None, moved, desk), created=True)


async def edit_declaration(
    command: Edit, desk: Desk
) -> (
    Done[Declaration]
    | UnknownDeclaration
    | NotDeclarer
    | AlreadyDecided
    | ChangedMeanwhile
    | Forbidden
    | OutOfScope
    | BrokenFields
    | NotEditable
    | UnitFixed
    | DuplicateCreditCode
    | DeclaredEarlier
):
    """Changes what a draft or a returned declaration says."""
    found = await own(command.declaration_id, desk)
    if isinstance(found, Refusal):
        return found
    if changed := stale(desk.version, found.version):
        return changed
    fields = sound_fields(said_again(found, command.said, command.changed), desk, found)
    if isinstance(fields, Refusal):
        return fields
    content = fields.content
    moved = life.edit(
        found, content, fields.unit_code, fields.declarer, desk.now, desk.terms, command.comment
    )
    if isinstance(moved, Refusal):
        return moved
    # A returned declaration is still open: the credit code that it comes to have must be free like any other's.
    renamed = found.state == "returned" and content.uscc != found.content.uscc
    if renamed and (taken := await _taken(content, found.id, desk)):
        return taken
    return Done(await keep(found, moved, desk))


async def submit_declaration(
    command: Submit, desk: Desk
) -> (
    Done[Declaration]
    | UnknownDeclaration
    | NotDeclarer
    | AlreadyDecided
    | ChangedMeanwhile
    | Forbidden
    | OutOfScope
    | BrokenFields
    | NotSubmittable
    | DuplicateCreditCode
    | DeclaredEarlier
):
    """Hands a draft in, or a returned declaration once more."""
    found = await own(command.declaration_id, desk)
    if isinstance(found, Refusal):
        return found
    if changed := stale(desk.version, found.version):
        return changed
    # Staff, units and divisions may have changed since it was written.
    fields = sound_fields(said_again(found, Said(), ()), desk, found)
    if isinstance(fields, Refusal):
        return fields
    moved = life.submit(found, fields.declarer, desk.now, desk.terms, command.comment)
    if isinstance(moved, Refusal):
        return moved
    if taken := await _taken(found.content, found.id, desk):
        return taken
    return Done(await keep(found, moved, desk))


async def withdraw_declaration(
    command: Withdraw, desk: Desk
) -> (
    Done[Declaration] | UnknownDeclaration | NotDeclarer | AlreadyDecided | ChangedMeanwhile | NotWithdrawable
):
    """Takes a declaration back."""
    found = await own(command.declaration_id, desk)
    if isinstance(found, Refusal):
        return found
    if changed := stale(desk.version, found.version):
        return changed
    moved = life.withdraw(found, desk.caller.user, desk.now, desk.terms, command.comment)
    return moved if isinstance(moved, Refusal) else Done(await keep(found, moved, desk))


async def _taken(content: Content, id: str, desk: Desk) -> DuplicateCreditCode | DeclaredEarlier | None:
    if content.uscc is None:
        return None
    # In line with all registrations: of two declarations of one customer the first to commit is the earlier one, and a
    # customer that is being registered at this moment is waited for.
    await desk.customers.lock_registrations()
    return await credit_code_taken(content.uscc, id, desk)


async def credit_code_taken(uscc: str, id: str, desk: Desk) -> DuplicateCreditCode | DeclaredEarlier | None:
    """What stands in the way of declaring this credit code; who holds it, and what exactly only for those who may see it
    (REG-6)."""
    if holder := await desk.declarations.customer_of(uscc):
        unit = desk.terms.units[holder.unit_code]
        shown = _seen(holder, desk)
        return DuplicateCreditCode(
            unit.code,
            unit.name_zh,
            unit.name_en,
            holder.id if shown else None,
            holder.name if shown else None,
        )
    if earlier := await desk.declarations.open_of(uscc, id):
        unit = desk.terms.units[earlier.unit_code]
        shown = _seen(earlier, desk)
        return DeclaredEarlier(
            unit.code,
            unit.name_zh,
            unit.name_en,
            earlier.id if shown else None,
            earlier.name if shown else None,
        )
    return None


def _seen(holder: Holder, desk: Desk) -> bool:
    return permit(desk.caller, "customers.read", holder.unit_path, holder.managers) is None
