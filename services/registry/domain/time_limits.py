"""How long a decision may take, and how the time is counted (REG-3; S0 art.12(1)).

The centre decides within 48 hours of arrival, with a warning at 36; the pre-review has a limit of its own. The figures
are data, by unit and from a date on, and so is the way of counting: hours of the clock, or hours of the working calendar.
Time during which the declarer is asked for more does not count; what was left goes on at resubmission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from services.registry.domain.organisation import Unit
from services.registry.domain.working_calendar import WorkingCalendar

Mode = Literal["clock", "working"]


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """What holds for a unit and everything below it from a date on."""

    unit: str
    valid_from: date
    mode: Mode
    warn: timedelta
    limit: timedelta
    pre_review: timedelta


class NoTimeLimit(LookupError):
    """No limit holds for a unit on a day: the data has a gap, which is a fault of the data."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """All limits of an instance, the calendar that working hours are counted by, and for how many days at most somebody
    decides in another's place."""

    version: int
    entries: tuple[TimeLimit, ...]
    calendar: WorkingCalendar
    delegation_days_max: int = 62

    def of(self, units: Mapping[str, Unit], unit_code: str, on: date) -> TimeLimit:
        """The limit of the nearest unit at or above that has one on this day, the latest of several.

        Raises NoTimeLimit where none holds."""
        code: str | None = unit_code
        while code is not None:
            held = [each for each in self.entries if each.unit == code and each.valid_from <= on]
            if held:
                return max(held, key=lambda each: each.valid_from)
            unit = units.get(code)
            code = None if unit is None else unit.parent
        raise NoTimeLimit(f"No time limit holds for unit {unit_code} on {on}.")


@dataclass(frozen=True, slots=True)
class Run:
    """A limit as it applies to one declaration: it runs since `since`, or stands still while that is None.

    `spent` is the time counted before. What was in force when the run began stays, whatever the data say later.
    """

    mode: Mode
    limit: timedelta
    warn: timedelta | None = None
    spent: timedelta = timedelta()
    since: datetime | None = None

    def due_at(self, calendar: WorkingCalendar) -> datetime | None:
        """When the limit ends, if it goes on running."""
        return self._reached(self.limit, calendar)

    def warn_at(self, calendar: WorkingCalendar) -> datetime | None:
        return None if self.warn is None else self._reached(self.warn, calendar)

    def counted(self, now: datetime, calendar: WorkingCalendar) -> timedelta:
        """The time used up by `now`."""
        return self.spent if self.since is None else self.spent + self._between(self.since, now, calendar)

    def left(self, now: datetime, calendar: WorkingCalendar) -> timedelta:
        """What is left; negative once the limit has been passed."""
        return self.limit - self.counted(now, calendar)

    def paused(self, now: datetime, calendar: WorkingCalendar) -> Run:
        return replace(self, spent=self.counted(now, calendar), since=None)

    def resumed(self, now: datetime) -> Run:
        return replace(self, since=now)

    def _reached(self, span: timedelta, calendar: WorkingCalendar) -> datetime | None:
        if self.since is None:
            return None
        ahead = max(span - self.spent, timedelta())
        return self.since + ahead if self.mode == "clock" else calendar.after(self.since, ahead)

    def _between(self, start: datetime, end: datetime, calendar: WorkingCalendar) -> timedelta:
        return max(end - start, timedelta()) if self.mode == "clock" else calendar.between(start, end)
