"""Rules of development rights as data: by unit, from a day on, each version with a number of its own (CLM-3, CLM-9).

A local rule holds for its unit and everything below it; elsewhere that of the unit above holds, at last the national
default. A window keeps the version that it opened under, so a change moves no running window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Criterion = Literal["declaration", "territory", "benefit"]


@dataclass(frozen=True, slots=True)
class SeasonRule:
    """How far around a festival's day its season reaches."""

    days_before: int
    days_after: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One version. `unit_path` is the unit from which it holds downwards, `effective_on` the first day."""

    version: int
    unit_path: str
    effective_on: date
    source_zh: str
    source_en: str
    regular_months: int
    festival_months: int
    settling_hours: int
    cooling_days: int
    extensions_max: int
    extension_months_max: int
    review_hours: int
    warning_days: tuple[int, ...]
    silence_of_window: float
    guidance_of_window: float
    ranking: tuple[Criterion, ...]
    ranking_of_several_lines: tuple[Criterion, ...]
    centre_levels: tuple[str, ...]
    seasons: Mapping[str, SeasonRule]

    def months_of(self, kind: str) -> int:
        """How long a window of this kind lasts."""
        return self.festival_months if kind == "festival" else self.regular_months

    @property
    def settling(self) -> timedelta:
        return timedelta(hours=self.settling_hours)

    @property
    def cooling(self) -> timedelta:
        return timedelta(days=self.cooling_days)

    @property
    def review(self) -> timedelta:
        return timedelta(hours=self.review_hours)


class NoRule(LookupError):
    """No rule holds for a unit on a day; the shipped national default holds since long ago."""


class Rulebook:
    """All rules. Raises ValueError where two versions bear one number or begin for one unit on one day."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.version))
        self._by_version = {rule.version: rule for rule in self.rules}
        if len(self._by_version) != len(self.rules):
            raise ValueError("two rules bear the same version")
        if len({(rule.unit_path, rule.effective_on) for rule in self.rules}) != len(self.rules):
            raise ValueError("two rules begin for the same unit on the same day")

    def version(self, version: int) -> Rule:
        """The rule with this number."""
        return self._by_version[version]

    def holding(self, unit_path: str, on: date) -> Rule:
        """The rule that holds for a unit on a day: that of the nearest unit above which has one, its latest version."""
        fitting = [
            rule
            for rule in self.rules
            if rule.effective_on <= on and f"{unit_path}/".startswith(f"{rule.unit_path}/")
        ]
        if not fitting:
            raise NoRule(unit_path)
        return max(fitting, key=lambda rule: (rule.unit_path.count("/"), rule.effective_on))
