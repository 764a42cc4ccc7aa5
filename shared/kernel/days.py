"""Days of Asia/Shanghai, and the range in which every day that arrives must lie.

A day outside the range is a slip of the pen (0206 for 2026) or a way of saying "never", and no rule can compute with it:
the zone had another offset before 1901, and the database writes the ends of the calendar as infinities. Every door refuses
it with its field, so that whatever is accepted can be booked, closed, told and shown.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

FIRST_DAY: Final = date(1901, 1, 1)
"""The first day that any date may name: since then Asia/Shanghai has had whole offsets (1901-01-01 +08:00)."""
LAST_DAY: Final = date(2199, 12, 31)
"""The last day that any date may name."""


def within_range(day: date) -> bool:
    """Whether a day may be named at all."""
    return FIRST_DAY <= day <= LAST_DAY


def day_of(instant: datetime) -> date:
    """The date of an aware instant in Asia/Shanghai. Raises OverflowError at the very ends of the calendar."""
    return instant.astimezone(SHANGHAI).date()
