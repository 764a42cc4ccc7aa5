"""A province for the simulator: its outlets, and customers of many kinds and sizes; the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from random import Random  # noqa: TID251 -- seeded: the same seed gives the same province
from typing import Final

from stdnum.cn import uscc

from cli.simulated.calendar import BRANCH, CITY_OUTLET, Opening, share_of_day
from cli.simulated.kinds import KINDS, Kind

CUSTOMERS: Final = 48
_LEAST_FEN: Final = 600_000
_MOST_FEN: Final = 400_000_000
"""What the smallest and the largest customer spend a year: from below every level to far above the highest one."""
_HOME_SHARE: Final = 0.6
"""How many of the customers belong to the home city; the rest are spread over the province."""
_WITH_LOCAL_CODE: Final = 0.2
_WITHOUT_AGREEMENT: Final = 0.15
_BASE: Final = date(2026, 1, 1)
"""Growth and decline are counted from here, so that the stream of a day does not depend on where a run begins."""
_FACTOR: Final = (0.1, 5.0)
_YEAR_DAYS: Final = 365
_GIVEN: Final = "恒盛泰德信嘉瑞华宏远通达鑫源永兴博雅明辉"
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the registry, as far as it matters here."""

    code: str
    level: str
    parent: str | None
    name_zh: str
    division: str | None


@dataclass(frozen=True, slots=True)
class Outlet:
    """A counter. All outlets of a unit belong to one counter system, which numbers its transactions."""

    counter_id: str
    unit_code: str
    opening: Opening


@dataclass(frozen=True, slots=True)
class Customer:
    """A made-up customer."""

    number: int
    name: str
    uscc: str
    kind: Kind
    unit_code: str
    division: str
    outlets: tuple[Outlet, ...]
    yearly_fen: int
    """What it spends in the base year, before growth."""
    growth: float
    """By which factor that changes within a year."""
    local_code: str | None
    """A counter's own code for it, which the registry does not know until a steward maps it."""
    agreement: bool

    def fen_on(self, day: date) -> float:
        """What it spends on that day in the mean."""
        grown = float(self.growth ** ((day - _BASE).days / _YEAR_DAYS))
        factor = min(max(grown, _FACTOR[0]), _FACTOR[1])
        return self.yearly_fen * factor * share_of_day(self.kind, day) / _YEAR_DAYS


@dataclass(frozen=True)
class Province:
    """Outlets and customers of one seed."""

    seed: int
    outlets: tuple[Outlet, ...]
    customers: tuple[Customer, ...]

    @cached_property
    def local_codes(self) -> Mapping[str, Customer]:
        """Whom each counter-local code means."""
        return {each.local_code: each for each in self.customers if each.local_code is not None}

    def source(self, outlet: Outlet) -> str:
        return f"/simulated/{self.seed}/{outlet.unit_code}"


def build(seed: int, units: Sequence[Unit], customers: int = CUSTOMERS, home: str = "3205") -> Province:
    """The province of a seed on these units. Raises ValueError where there is no county."""
    counties = sorted((unit for unit in units if unit.level == "county"), key=lambda unit: unit.code)
    if not counties:
        raise ValueError("there is no county to put outlets and customers in")
    by_county = {county.code: _outlets(county, units) for county in counties}
    dice = Random(f"province {seed}")  # noqa: S311
    sizes = _sizes(dice, customers)
    near = [county for county in counties if county.parent == home] or counties
    kinds = [kind for kind in KINDS for _ in range(kind.frequency)]
    made = []
    for number, size in enumerate(sizes, start=1):
        county = dice.choice(near if dice.random() < _HOME_SHARE else counties)
        outlets = by_county[county.code]
        kind = dice.choice(kinds)
        made.append(
            Customer(
                number=number,
                name=_name(dice, seed, number, county, kind),
                uscc=_uscc(dice, county.division or "320000"),
                kind=kind,
                unit_code=county.code,
                division=county.division or "320000",
                outlets=tuple(dice.sample(outlets, min(len(outlets), dice.randint(1, 2)))),
                yearly_fen=size,
                growth=dice.uniform(*kind.growth),
                local_code=f"K{county.code[-4:]}-{seed % 10_000}-{number:03d}" if dice.random() < _WITH_LOCAL_CODE else None,
                agreement=dice.random() >= _WITHOUT_AGREEMENT,
            )
        )  # fmt: skip
    return Province(seed, tuple(each for some in by_county.values() for each in some), tuple(made))


def _outlets(county: Unit, units: Sequence[Unit]) -> list[Outlet]:
    """Those of the registry, and made-up ones where it has fewer than two."""
    known = sorted(unit.code for unit in units if unit.level == "outlet" and unit.parent == county.code)
    made = [f"SIM-{county.code}-{place}" for place in range(1, 3 - len(known))]
    return [
        Outlet(code, county.code, CITY_OUTLET if place == 0 else BRANCH)
        for place, code in enumerate([*known, *made])
    ]


def _sizes(dice: Random, count: int) -> list[int]:
    """From small to large in equal proportions, so that every level has customers on their way to it."""
    steps = max(count - 1, 1)
    sizes = [int(_LEAST_FEN * (_MOST_FEN / _LEAST_FEN) ** (place / steps)) for place in range(count)]
    dice.shuffle(sizes)
    return sizes


def _name(dice: Random, seed: int, number: int, county: Unit, kind: Kind) -> str:
    place = county.name_zh.removesuffix("分局").removesuffix("市局").removesuffix("县局").removesuffix("区")
    return f"模拟{seed}-{number:03d} {place}{''.join(dice.sample(_GIVEN, 2))}{kind.name_zh}有限公司"


def _uscc(dice: Random, division: str) -> str:
    """A credit code of the right form, of nobody."""
    first = f"91{division}MA{''.join(dice.choice(_ALPHABET) for _ in range(7))}"
    return first + str(uscc.calc_check_digit(first))
