"""Festival windows (CLM-3; S3 art.12(3)): accepted only where they touch the festival's season.

The days of the festivals come from a lunar calendar outside; the season around them is rule data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, get_args

from services.claims.domain.rules import Rule

Festival = Literal["mid_autumn", "new_year", "spring_festival"]
FESTIVALS: Final[tuple[Festival, ...]] = get_args(Festival)
FestivalDays = Callable[[str, int], "date | None"]
"""The day of a festival in a year of the common calendar; None where the calendar does not reach."""


@dataclass(frozen=True, slots=True)
class Season:
    """A festival's season of one year; both days belong to it."""

    festival: str
    day: date
    first_day: date
    last_day: date


def season(festival: str, year: int, days: FestivalDays, rule: Rule) -> Season | None:
    """The season around the festival's day of that year."""
    day = days(festival, year)
    reach = rule.seasons.get(festival)
    if day is None or reach is None:
        return None
    return Season(
        festival, day, day - timedelta(days=reach.days_before), day + timedelta(days=reach.days_after)
    )


def season_touched(
    festival: str, first_day: date, last_day: date, days: FestivalDays, rule: Rule
) -> Season | None:
    """The season that a window from `first_day` to `last_day` touches, None where it touches none."""
    for year in range(first_day.year - 1, last_day.year + 2):
        found = season(festival, year, days, rule)
        if found is not None and found.first_day <= last_day and first_day <= found.last_day:
            return found
    return None


def unreckoned_year(festival: str, first_day: date, last_day: date, days: FestivalDays) -> int | None:
    """The first year of a window for which nobody reckons the festival's day."""
    return next(
        (year for year in range(first_day.year, last_day.year + 1) if days(festival, year) is None), None
    )


def next_season(festival: str, day: date, days: FestivalDays, rule: Rule) -> Season | None:
    """The first season that has not ended on that day."""
    for year in range(day.year - 1, day.year + 3):
        found = season(festival, year, days, rule)
        if found is not None and found.last_day >= day:
            return found
    return None
