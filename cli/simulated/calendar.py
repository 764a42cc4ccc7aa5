"""When counters are open, and how much of a day's business falls on which day and hour."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from random import Random  # noqa: TID251 -- only the type: the generator comes in with its seed
from typing import Final

import chinese_calendar

from cli.simulated.kinds import Kind

_HOURS: Final = {
    8: 0.5, 9: 1.3, 10: 1.7, 11: 1.0, 12: 0.45, 13: 0.6, 14: 0.9, 15: 1.3, 16: 2.0, 17: 1.5, 18: 0.4, 19: 0.2,
}  # fmt: skip
"""A peak in the morning, a lull at noon, and the day's highest in the late afternoon, before the last collection."""
_REST: Final = 6
"""A statutory day of rest is like a Sunday."""
_SUNDAY_SHARE: Final = 0.4
"""What a statutory holiday leaves of the business of those who are open on Sundays."""
_MONTH_END_DAYS: Final = 3


@dataclass(frozen=True, slots=True)
class Opening:
    """Minutes of the day between which an outlet is open, on working days, Saturdays and Sundays; None is closed."""

    working: tuple[int, int]
    saturday: tuple[int, int] | None
    sunday: tuple[int, int] | None

    def on(self, day: date) -> tuple[int, int] | None:
        """The opening of that day, a working weekend and a holiday counted for what they are."""
        weekday = weekday_of(day)
        if weekday < 5:
            return self.working
        return self.saturday if weekday == 5 else self.sunday


CITY_OUTLET: Final = Opening((8 * 60, 19 * 60), (8 * 60 + 30, 18 * 60), (9 * 60, 17 * 60))
BRANCH: Final = Opening((8 * 60 + 30, 17 * 60 + 30), (9 * 60, 16 * 60), None)


@lru_cache(maxsize=4096)
def weekday_of(day: date) -> int:
    """0 Monday … 6 Sunday: a working weekend counts as the Wednesday it stands for, a statutory holiday as a Sunday.

    Years beyond the published calendar have plain weeks.
    """
    try:
        working = chinese_calendar.is_workday(day)
    except NotImplementedError:
        return day.weekday()
    if working:
        return day.weekday() if day.weekday() < 5 else 2
    return day.weekday() if day.weekday() >= 5 else _REST


def _is_holiday(day: date) -> bool:
    return weekday_of(day) == _REST and day.weekday() != _REST


@lru_cache(maxsize=4096)
def _near_month_end(day: date) -> bool:
    """Whether it is one of the last three working days of its month."""
    left = 0
    after = day
    while after.month == day.month:
        left += weekday_of(after) < 5
        after += timedelta(days=1)
    return weekday_of(day) < 5 and left <= _MONTH_END_DAYS


def share_of_day(kind: Kind, day: date) -> float:
    """How much of an ordinary day's business of that kind falls on the day; 1 over a usual week in the mean."""
    share = kind.week[weekday_of(day)] * 7 / sum(kind.week)
    if _is_holiday(day):
        share *= _SUNDAY_SHARE
    return share * kind.month_end if _near_month_end(day) else share


def minute_of_day(dice: Random, opening: tuple[int, int]) -> int:
    """A minute at which somebody comes to the counter while it is open."""
    opens, closes = opening
    hours = [hour for hour in _HOURS if opens <= hour * 60 + 59 and hour * 60 < closes]
    weights = list(accumulate(_HOURS[hour] for hour in hours))
    hour = hours[bisect(weights, dice.random() * weights[-1])]
    return min(max(hour * 60 + dice.randrange(60), opens), closes - 1)
