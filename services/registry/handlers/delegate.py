"""Commands of those who have others decide in their place: delegate on some days, and end it (REG-3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from services.registry.domain.declaration_refusals import NotDelegator, UnknownDelegation
from services.registry.domain.delegating import Term, deputy_faults
from services.registry.handlers.declaration_ports import Delegation, Desk
from shared.auth.policy import TABLE, Forbidden, OutOfScope, permit
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import BrokenFields


@dataclass(frozen=True, slots=True)
class Delegate:
    """Have somebody decide for a unit on these days, both included."""

    to_user: str
    unit_code: str
    from_on: date
    to_on: date


@dataclass(frozen=True, slots=True)
class Revoke:
    """End a delegation at once."""

    delegation_id: str
    comment: str | None = None


async def delegate(command: Delegate, desk: Desk) -> Done[Delegation] | Forbidden | OutOfScope | BrokenFields:
    """A delegation of a unit that the caller decides for, to somebody of the unit."""
    unit = desk.organisation.units.get(command.unit_code)
    if unit is not None and (refusal := permit(desk.caller, "declarations.decide", unit.path)):
        return refusal
    person = desk.caller.user
    named = desk.organisation.managers.get(command.to_user)
    deputy = None if named is None else await desk.organisations.staff_member(named)
    own = await desk.organisations.staff_member(person)
    office = None if own is None or own.unit is None else (own.unit, own.office)
    days_max = desk.terms.limits.delegation_days_max
    faults = [
        *deputy_faults(person, deputy, unit, office, TABLE["declarations.decide"]),
        *Term(command.from_on, command.to_on, desk.terms.today, days_max).faults(),
    ]
    if faults or deputy is None:
        return BrokenFields(tuple(faults))
    delegation = Delegation(
        desk.new_id(), person, deputy.user, command.unit_code, command.from_on, command.to_on, desk.now
    )
    await desk.delegations.add(delegation)
    return Done(delegation, created=True)


async def revoke_delegation(
    command: Revoke, desk: Desk
) -> Done[Delegation] | UnknownDelegation | NotDelegator | Forbidden | OutOfScope | ChangedMeanwhile:
    """Ended by whoever gave it, or by somebody else who decides for the unit. Ending it twice changes nothing."""
    id, person = command.delegation_id, desk.caller.user
    found = await desk.delegations.locked(id) if "\x00" not in id else None
    if found is None:
        return UnknownDelegation()
    if person == found.to_user:
        return NotDelegator()
    path = desk.terms.units[found.unit_code].path
    if person != found.from_user and (refusal := permit(desk.caller, "declarations.decide", path)):
        return refusal
    if found.revoked_at is None:
        if changed := stale(desk.version, found.version):
            return changed
        found = replace(found, revoked_at=desk.now, revoked_by=person, version=found.version + 1)
        await desk.delegations.store(found)
    return Done(found)
