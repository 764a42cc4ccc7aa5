"""What a declarer says, read at the desk: who declares for which unit, and the fields with everything that is wrong with
them (REG-1, REG-2)."""

from __future__ import annotations

from dataclasses import dataclass

from services.registry.domain.declarations import Content, Declaration, Declarer
from services.registry.domain.declaring import Knowledge, Read, Said, read
from services.registry.handlers.declaration_ports import Desk
from shared.auth.policy import TABLE, NotPermitted, permit
from shared.auth.principals import Principal
from shared.kernel.refusals import BrokenFields


@dataclass(frozen=True, slots=True)
class SoundFields:
    """Fields without a fault, of a unit that the caller declares for."""

    content: Content
    unit_code: str
    declarer: Declarer


def check_fields(said: Said, desk: Desk, found: Declaration | None = None) -> Read:
    """The fields with everything that is wrong with them; `found` is the declaration that they are to change."""
    by = declarer_of((said.unit_code or "").strip(), desk, found).declared_by
    knowledge = Knowledge(
        desk.organisation.units,
        desk.rules.divisions,
        desk.organisation.managers,
        desk.industries,
        desk.terms.today,
    )
    return read(said, knowledge, by, desk.caller.user)


def may_declare(unit_code: str, desk: Desk) -> NotPermitted | None:
    """None where the caller declares for this unit, which is known."""
    return permit(desk.caller, "customers.declare", desk.terms.units[unit_code].path)


def sound_fields(
    said: Said, desk: Desk, found: Declaration | None = None
) -> SoundFields | NotPermitted | BrokenFields:
    """The fields, or what stands against them. Whose the unit is goes before what is wrong with the fields."""
    checked = check_fields(said, desk, found)
    if checked.unit_code is not None and (refusal := may_declare(checked.unit_code, desk)):
        return refusal
    if checked.faults or checked.content is None or checked.unit_code is None:
        return BrokenFields(checked.faults)
    return SoundFields(checked.content, checked.unit_code, declarer_of(checked.unit_code, desk, found))


def declarer_of(unit_code: str, desk: Desk, found: Declaration | None = None) -> Declarer:
    """Who declares for this unit: a manager by the unit of their post, or the unit itself by one of its people."""
    unit = desk.terms.units.get(unit_code)
    managing = [] if unit is None else _managing(desk.caller, unit.path)
    as_manager = bool(managing) if found is None else found.declared_by == "manager"
    user = desk.caller.user
    if not as_manager:
        return Declarer(user)
    # Who is on no staff list works where their role is.
    return Declarer(user, desk.organisation.posts.get(user) or next(iter(managing), unit_code))


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
