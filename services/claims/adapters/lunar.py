"""The days of festivals: New Year by the common calendar, Spring Festival and Mid-Autumn by the lunar one."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

from lunardate import LunarDate  # type: ignore[import-untyped]

_LUNAR: Final = {"spring_festival": (1, 1), "mid_autumn": (8, 15)}


@lru_cache(maxsize=512)
def festival_day(festival: str, year: int) -> date | None:
    """The day of a festival in a year; None where the calendar's tables (1900 to 2099) do not reach."""
    if festival == "new_year":
        return date(year, 1, 1)
    month, day = _LUNAR[festival]
    try:
        found: date = LunarDate(year, month, day).to_solar_date()
    except ValueError:
        return None
    return found
