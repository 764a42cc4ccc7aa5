"""Days and months of Asia/Shanghai (CLM-3): when a window that opens on a day is over.

A window of months ends at 24:00 of the day with the same number, or of the last day of a shorter month: opened on
15 January for two months it is in force before 16 March 00:00, opened on 31 January for one before 1 March 00:00.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

from shared.kernel.days import SHANGHAI, day_of


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last day where it is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def start_of(day: date) -> datetime:
    """00:00 of the day in Asia/Shanghai."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def end_of(day: date) -> datetime:
    """24:00 of the day in Asia/Shanghai, which is no longer part of it."""
    return start_of(day + timedelta(days=1))


def last_day_before(end: datetime) -> date:
    """The last day that lies wholly before this midnight; of any other instant, its own day."""
    return day_of(end - timedelta(microseconds=1))


def to_millisecond(instant: datetime) -> datetime:
    """The instant as others read it: the contracts print milliseconds, and what is compared across services must not
    differ in digits that nobody was told."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
