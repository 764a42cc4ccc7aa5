"""China's working calendar: which days are worked, and working time between two instants (REG-3).

A working day counts 24 hours, any other day none: what arrives on Friday at 15:00 and has 48 hours is due on Tuesday at
15:00. Holidays and the weekends that are worked in exchange are published year by year (国务院办公厅 节假日安排); they come in
as data. A year that is not published yet is provisional: it has the statutory holidays and the days in lieu that the
regulation itself gives for those on a weekend (全国年节及纪念日放假办法 art.6), and no days moved between weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from shared.kernel.days import SHANGHAI

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """One year's exceptions from Monday to Friday: weekdays off, and days of a weekend that are worked."""

    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()
    provisional: bool = True


_PLAIN: Final = CalendarYear()


def provisional_year(holidays: Iterable[date]) -> CalendarYear:
    """A year that is not published yet, by its statutory holidays. For each one on a weekend the next working day that is
    neither a holiday nor in lieu of another is off."""
    named = frozenset(holidays)
    off = {day for day in named if day.weekday() < _SATURDAY}
    for holiday in sorted(named - off):
        day = holiday
        while day.weekday() >= _SATURDAY or day in off:
            day += _DAY
        off.add(day)
    return CalendarYear(frozenset(off))


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """The years that are known. Instants are aware; days are those of Asia/Shanghai."""

    version: int = 0
    years: Mapping[int, CalendarYear] = field(default_factory=dict)

    def year(self, year: int) -> CalendarYear:
        """A year's exceptions; of a year nobody listed, none, provisionally."""
        return self.years.get(year, _PLAIN)

    def is_worked(self, day: date) -> bool:
        """Whether the day counts."""
        year = self.year(day.year)
        return day in year.worked or (day.weekday() < _SATURDAY and day not in year.off)

    def after(self, start: datetime, span: timedelta) -> datetime:
        """The first instant at which `span` of working time has passed since `start`."""
        moment = start.astimezone(SHANGHAI)
        left = span
        while True:
            midnight = _midnight(moment.date() + _DAY)
            if self.is_worked(moment.date()):
                if left <= midnight - moment:
                    return (moment + left).astimezone(start.tzinfo)
                left -= midnight - moment
            elif not left:
                return moment.astimezone(start.tzinfo)
            moment = midnight

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`; none where `end` is not later."""
        moment, last = start.astimezone(SHANGHAI), end.astimezone(SHANGHAI)
        total = timedelta()
        while moment < last:
            until = min(_midnight(moment.date() + _DAY), last)
            if self.is_worked(moment.date()):
                total += until - moment
            moment = until
        return total


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
