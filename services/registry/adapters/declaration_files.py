"""Reads the data files that declarations depend on: time limits, the working calendar, industries."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from services.registry.domain.time_limits import TimeLimit, TimeLimits
from services.registry.domain.working_calendar import CalendarYear, WorkingCalendar, provisional_year

DATA: Final = Path(__file__).resolve().parents[1] / "data"
_MODES: Final = ("clock", "working")


def read_time_limits(folder: Path = DATA) -> TimeLimits:
    """The limits and the calendar of a folder; a file that is not there is the one that comes with the service.

    Raises ValueError, KeyError or yaml.YAMLError where one of them is broken: no start then."""
    document = yaml.safe_load(_file(folder, "time_limits.yaml").read_bytes())
    entries = tuple(_limit(entry) for entry in document["limits"])
    days_max = int(document.get("delegation_days_max", 62))
    if days_max < 1:
        raise ValueError("A delegation needs a day at least.")
    return TimeLimits(int(document["version"]), entries, read_calendar(folder), days_max)


def read_calendar(folder: Path = DATA) -> WorkingCalendar:
    """The working calendar."""
    document = yaml.safe_load(_file(folder, "working_calendar.yaml").read_bytes())
    years = {int(year): _year(int(year), entry) for year, entry in document["years"].items()}
    return WorkingCalendar(int(document["version"]), years)


def read_industries(folder: Path = DATA) -> dict[str, str]:
    """Codes and names of GB/T 4754-2017, sections and divisions, to the code: `C17`, `17` and `纺织业` all mean `C17`.

    A name that is both a section and its only division (房地产业) means the section.
    """
    found: dict[str, str] = {}
    with _file(folder, "industries.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            code = row["code"]
            for key in (code, code[1:], row["name_zh"], "".join(row["name_en"].split()).upper()):
                if key:
                    found.setdefault(key, code)
    return found


def _file(folder: Path, name: str) -> Path:
    own = folder / name
    return own if own.exists() else DATA / name


def _limit(entry: dict[str, Any]) -> TimeLimit:
    warn, limit, before = (
        timedelta(hours=entry[name]) for name in ("warn_hours", "limit_hours", "pre_review_hours")
    )
    if entry["mode"] not in _MODES or not timedelta() < warn < limit or before <= timedelta():
        raise ValueError(f"The time limit of unit {entry['unit']} contradicts itself.")
    return TimeLimit(str(entry["unit"]), entry["valid_from"], entry["mode"], warn, limit, before)


def _year(year: int, entry: dict[str, Any]) -> CalendarYear:
    if "holidays" in entry:
        if not entry["provisional"]:
            raise ValueError(f"The calendar of {year} is published and must list its days off and worked.")
        return provisional_year(date.fromisoformat(f"{year}-{day}") for day in entry["holidays"])
    off, worked = (
        frozenset(date.fromisoformat(f"{year}-{day}") for day in entry[name])
        for name in ("days_off", "days_worked")
    )
    if any(day.weekday() > 4 for day in off) or any(day.weekday() < 5 for day in worked):
        raise ValueError(f"The calendar of {year} lists a day that needs no exception.")
    return CalendarYear(off, worked, bool(entry["provisional"]))
