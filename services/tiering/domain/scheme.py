"""Schemes: the rules that give a customer its tier, as values (TIE-6; S0 art.10, S1 art.8-9, S3-GD ch.2).

A scheme has versions, effective by business date. A version names the lines it counts and its levels, low to high; tier 0
is `none`, tier n is the n-th level. All amounts are integer fen, coefficients are basis points.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Final

from shared.kernel.lines import LINES

LINE_NUMBER: Final[dict[str, int]] = {line: number for number, line in enumerate(LINES)}

NO_TIER: Final = 0
NO_TIER_CODE: Final = "none"
WHOLE: Final = 10_000
"""One hundred per cent in basis points."""


def half_up(amount_fen: int, basis_points: int) -> int:
    """`amount_fen` times a coefficient, rounded half up to the fen (TIE-24)."""
    return (amount_fen * basis_points * 2 + WHOLE) // (2 * WHOLE)


@dataclass(frozen=True, slots=True)
class Level:
    """One level: `yearly_fen` is what a year's total must reach; some thresholds vary with the unit's city group."""

    code: str
    name_zh: str
    name_en: str
    yearly_fen: int
    by_city_group: bool = False


@dataclass(frozen=True)
class SchemeVersion:
    """One version of a scheme, in force for business dates from `effective_on` (None: from the beginning of time)."""

    scheme: str
    version: int
    effective_on: date | None
    lines: tuple[int, ...]
    needs_agreement: bool
    levels: tuple[Level, ...]
    city_group_basis_points: dict[int, int]
    granted_to_upstream: int | None = None
    basis_zh: str = ""
    basis_en: str = ""
    _thresholds: dict[int | None, tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def thresholds(self, city_group: int | None) -> tuple[int, ...]:
        """What a year's total must reach for tiers 1, 2, …, in fen, for a customer of a unit of this city group."""
        known = self._thresholds.get(city_group)
        if known is None:
            coefficient = WHOLE if city_group is None else self.city_group_basis_points.get(city_group, WHOLE)
            known = tuple(
                half_up(level.yearly_fen, coefficient) if level.by_city_group else level.yearly_fen
                for level in self.levels
            )
            self._thresholds[city_group] = known
        return known

    def tier_for(self, total_fen: int, city_group: int | None) -> int:
        """The highest tier whose threshold the total reaches; 0 when it reaches none."""
        return bisect_right(self.thresholds(city_group), total_fen)

    def total_of(self, line_totals: Sequence[int]) -> int:
        """The part of a year's totals by line (fen, in the order of LINES) that this version counts."""
        if len(self.lines) == len(line_totals):
            return sum(line_totals)
        return sum([line_totals[line] for line in self.lines])

    def tier_code(self, tier: int) -> str:
        return self.levels[tier - 1].code if tier else NO_TIER_CODE

    def covered_by(self, agreement_lines: Sequence[int]) -> bool:
        """Whether an agreement over these lines satisfies the key-account condition; one without lines covers all."""
        return not agreement_lines or any(line in self.lines for line in agreement_lines)


@dataclass(frozen=True)
class Scheme:
    """A scheme with its versions, oldest first."""

    code: str
    name_zh: str
    name_en: str
    versions: tuple[SchemeVersion, ...]

    def on(self, day: date) -> SchemeVersion | None:
        """The version in force on a business date, or None before the first (TIE-24)."""
        if len(self.versions) == 1 and self.versions[0].effective_on is None:
            return self.versions[0]
        found = None
        for version in self.versions:
            if version.effective_on is None or version.effective_on <= day:
                found = version
        return found


def order_problems(versions: Sequence[SchemeVersion]) -> list[str]:
    """What is wrong with a scheme's versions, in both languages; empty when nothing is."""
    problems = []
    for version in versions:
        for group in (None, *version.city_group_basis_points):
            thresholds = version.thresholds(group)
            if not thresholds or thresholds[0] <= 0:
                problems.append(
                    f"versions：最低标准须大于零 / version {version.version}: the lowest threshold must be above zero"
                )
            if any(low >= high for low, high in pairwise(thresholds)):
                problems.append(
                    f"versions：各级标准须逐级升高 / version {version.version}: thresholds must rise from level to level"
                )
    starts = [version.effective_on for version in versions]
    dated = [start for start in starts if start is not None]
    if None in starts[1:] or dated != sorted(set(dated)):
        problems.append("versions：版本须按日期先后排列 / versions must follow one another by their dates")
    return problems
