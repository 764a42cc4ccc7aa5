"""The organisation tree (S1 art.3-4): units under units, each with a path, a division and, for cities, a
group.

A city group holds for everything below the unit that has it. A unit is never deleted: it is closed on a
day, and its history stays readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal, get_args

from services.registry.domain.codes import CodeScheme, slot_of
from shared.kernel.lines import LINES

Level = Literal["national", "province", "city", "professional", "county", "outlet"]
LEVELS: Final[tuple[str, ...]] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit. `path` names all units from the root, such as `/CN/32/3205`; no `lines` means every line."""

    code: str
    name_zh: str
    name_en: str
    level: str
    parent: str | None
    division: str | None = None
    lines: tuple[str, ...] = ()
    city_group: int | None = None
    centre: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A person, the unit of their post and their office in it, and the roles they hold: pairs of role and unit code. A
    role may reach further than the post."""

    user: str
    name_zh: str
    name_en: str
    unit: str | None
    office: str
    roles: tuple[tuple[str, str], ...]
    active: bool = True


class BrokenOrganisation(ValueError):
    """The organisation file contradicts itself; the message says where."""


def build_tree(units: Iterable[Unit]) -> dict[str, Unit]:
    """Units by code with their paths and inherited city groups. Raises BrokenOrganisation for
    anything that is no tree."""
    given: dict[str, Unit] = {}
    for unit in units:
        if unit.code in given:
            raise BrokenOrganisation(f"Unit {unit.code} stands twice.")
        if unit.level not in LEVELS:
            raise BrokenOrganisation(f"Unit {unit.code} has the unknown level {unit.level}.")
        if unknown := set(unit.lines) - set(LINES):
            raise BrokenOrganisation(f"Unit {unit.code} has unknown lines {sorted(unknown)}.")
        if not unit.code or "/" in unit.code or "," in unit.code:
            raise BrokenOrganisation(f"Unit code {unit.code!r} cannot be part of a path.")
        given[unit.code] = unit
    built: dict[str, Unit] = {}

    def build(code: str, below: tuple[str, ...]) -> Unit:
        if code in below:
            raise BrokenOrganisation(f"Unit {code} is its own superior.")
        if code in built:
            return built[code]
        unit = given.get(code)
        if unit is None:
            raise BrokenOrganisation(f"Unit {below[-1]} has the unknown parent {code}.")
        if unit.parent is None:
            built[code] = replace(unit, path=f"/{code}")
        else:
            parent = build(unit.parent, (*below, code))
            group = parent.city_group if unit.city_group is None else unit.city_group
            built[code] = replace(unit, path=f"{parent.path}/{code}", city_group=group)
        return built[code]

    for code in given:
        build(code, ())
    if [unit.code for unit in built.values() if unit.parent is None] != [next(iter(built), None)]:
        raise BrokenOrganisation("There must be exactly one root unit, and it comes first.")
    return built


def changes(known: Mapping[str, Unit], wanted: Mapping[str, Unit], today: date) -> list[Unit]:
    """The units to store so that the tree becomes what the file says, superiors first.

    A unit that the file no longer names is closed as of today; one that is closed already stays as it was.
    """
    changed = [unit for code, unit in wanted.items() if known.get(code) != unit]
    gone = [
        replace(unit, valid_to=today)
        for code, unit in known.items()
        if code not in wanted and unit.valid_to is None
    ]
    return changed + gone


def range_owner(units: Mapping[str, Unit], division: str) -> Unit | None:
    """The unit from whose range the codes of a division are issued: its city, or its province; None where nobody's are."""
    owners = [
        unit for unit in units.values() if unit.division == division and unit.level in ("city", "province")
    ]
    return min(owners, key=lambda unit: (unit.path.count("/"), unit.code), default=None)


def foreign_range(units: Mapping[str, Unit], issuing: CodeScheme, code: str, unit_code: str) -> Unit | None:
    """The unit whose range a code lies in, where that is not the range of the customer's own unit: adopting or mapping the
    code uses up that unit's serial (REG-4, REG-5). None for a code of another form, and of a range that nobody has."""
    slot = slot_of(issuing, code)
    if slot is None or slot[0] == assigning_division(units, unit_code):
        return None
    return range_owner(units, slot[0])


def assigning_division(units: Mapping[str, Unit], code: str) -> str | None:
    """The division in whose range codes for a unit are issued: that of its city, else of its
    province (REG-4)."""
    unit: Unit | None = units.get(code)
    above: Unit | None = None
    while unit is not None:
        if unit.level == "city":
            return unit.division
        if unit.level == "province":
            above = unit
        unit = units.get(unit.parent) if unit.parent else None
    return above.division if above else None
