"""Months, midnights and festival seasons, with the edges of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st
from lunar_python import Lunar, Solar

from services.claims.adapters.lunar import festival_day
from services.claims.adapters.rule_files import RuleFileError, load_rules
from services.claims.domain.days import end_of, last_day_before, months_later, start_of
from services.claims.domain.festivals import next_season, season_touched, unreckoned_year
from services.claims.domain.rules import NoRule
from shared.kernel.days import day_of

RULES, _ = load_rules()
JIANGSU = RULES.holding("/CN/32/3205", date(2026, 3, 9))
days = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@pytest.mark.req("CLM-3")
@pytest.mark.parametrize(
    ("opened", "months", "last_day", "ends_at"),
    [
        (date(2026, 1, 15), 2, date(2026, 3, 15), "2026-03-16T00:00:00+08:00"),
        (date(2026, 1, 31), 1, date(2026, 2, 28), "2026-03-01T00:00:00+08:00"),
        (date(2028, 1, 31), 1, date(2028, 2, 29), "2028-03-01T00:00:00+08:00"),
        (date(2028, 2, 29), 1, date(2028, 3, 29), "2028-03-30T00:00:00+08:00"),
        (date(2027, 12, 31), 2, date(2028, 2, 29), "2028-03-01T00:00:00+08:00"),
        (date(2026, 12, 31), 2, date(2027, 2, 28), "2027-03-01T00:00:00+08:00"),
        (date(2026, 8, 31), 1, date(2026, 9, 30), "2026-10-01T00:00:00+08:00"),
        (date(2026, 11, 30), 1, date(2026, 12, 30), "2026-12-31T00:00:00+08:00"),
    ],
)
def test_a_window_of_months_ends_at_24_of_its_last_day(
    opened: date, months: int, last_day: date, ends_at: str
) -> None:
    assert months_later(opened, months) == last_day
    assert end_of(last_day) == datetime.fromisoformat(ends_at)
    assert last_day_before(end_of(last_day)) == last_day


@pytest.mark.req("CLM-3")
@given(days, st.integers(0, 36))
def test_months_are_those_of_a_maintained_library(day: date, months: int) -> None:
    assert months_later(day, months) == day + relativedelta(months=months)


@given(days)
def test_a_day_begins_where_the_one_before_it_ends(day: date) -> None:
    assert end_of(day) == start_of(day + timedelta(days=1))
    assert day_of(start_of(day)) == day
    assert day_of(end_of(day) - timedelta(microseconds=1)) == day


@pytest.mark.req("CLM-3")
@pytest.mark.parametrize(
    ("festival", "year", "day"),
    [
        ("spring_festival", 2026, date(2026, 2, 17)),
        ("spring_festival", 2027, date(2027, 2, 6)),
        ("spring_festival", 2028, date(2028, 1, 26)),
        ("mid_autumn", 2026, date(2026, 9, 25)),
        ("mid_autumn", 2028, date(2028, 10, 3)),
        ("new_year", 2027, date(2027, 1, 1)),
        ("mid_autumn", 2500, None),
    ],
)
def test_festivals_fall_on_their_lunar_days(festival: str, year: int, day: date | None) -> None:
    assert festival_day(festival, year) == day


@pytest.mark.req("CLM-3")
@pytest.mark.parametrize("year", range(2020, 2060))
def test_two_calendars_agree_on_festivals(year: int) -> None:
    for festival, (month, day) in {"spring_festival": (1, 1), "mid_autumn": (8, 15)}.items():
        solar: Solar = Lunar.fromYmd(year, month, day).getSolar()
        assert festival_day(festival, year) == date(solar.getYear(), solar.getMonth(), solar.getDay())


@pytest.mark.req("CLM-3")
@pytest.mark.parametrize(
    ("first", "last", "touches"),
    [
        # Spring Festival 2027 is 6 February; its season lasts from 23 December to 21 February.
        (date(2026, 11, 22), date(2026, 12, 22), False),
        (date(2026, 11, 23), date(2026, 12, 23), True),
        (date(2027, 2, 21), date(2027, 3, 21), True),
        (date(2027, 2, 22), date(2027, 3, 22), False),
    ],
)
def test_a_festival_window_touches_the_season_or_does_not(first: date, last: date, touches: bool) -> None:
    found = season_touched("spring_festival", first, last, festival_day, JIANGSU)
    assert (found is not None) == touches
    assert found is None or (found.first_day, found.last_day) == (date(2026, 12, 23), date(2027, 2, 21))


def test_the_next_season_is_named() -> None:
    found = next_season("mid_autumn", date(2026, 9, 29), festival_day, JIANGSU)
    assert found is not None and found.day == date(2027, 9, 15)
    assert next_season("mid_autumn", date(2200, 1, 1), festival_day, JIANGSU) is None


@pytest.mark.req("CLM-3")
@pytest.mark.parametrize(
    ("path", "regular"),
    [("/CN/32", 2), ("/CN/32/3205/320583", 2), ("/CN/33", 1), ("/CN", 1), ("/CN/321", 1)],
)
def test_the_nearest_rule_above_holds(path: str, regular: int) -> None:
    rule = RULES.holding(path, date(2026, 3, 9))
    assert (rule.months_of("regular"), rule.months_of("festival")) == (regular, 1)


def test_where_no_rule_holds_it_is_said() -> None:
    with pytest.raises(NoRule):
        RULES.holding("/XX", date(2026, 3, 9))
    with pytest.raises(NoRule):
        RULES.holding("/CN", date(1999, 12, 31))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("version: 1\n", "two rules bear the same version"),
        ("regular: 0", "greater than or equal to 1"),
        ("warnings: 3", "Extra inputs"),
        ("easter: {days_before: 1, days_after: 1}", "unknown festivals"),
    ],
)
def test_a_rule_file_that_cannot_be_used_stops_the_start(tmp_path: object, change: str, why: str) -> None:
    from pathlib import Path

    from services.claims.adapters.rule_files import FOLDER

    folder = Path(str(tmp_path))
    for file in FOLDER.glob("*.yaml"):
        text = file.read_text()
        if file.name == "jiangsu.yaml":
            text = {
                "version: 1\n": text.replace("version: 2", "version: 1"),
                "regular: 0": text.replace("regular: 2", "regular: 0"),
                "warnings: 3": text.replace("    review_hours", "    warnings: 3\n    review_hours"),
                "easter: {days_before: 1, days_after: 1}": text
                + "      easter: {days_before: 1, days_after: 1}\n",
            }[change]
        (folder / file.name).write_text(text)
    with pytest.raises(RuleFileError, match=why):
        load_rules(folder)


def test_utc_midnights_are_no_midnights_of_shanghai() -> None:
    assert day_of(datetime(2026, 3, 15, 15, 59, 59, tzinfo=UTC)) == date(2026, 3, 15)
    assert day_of(datetime(2026, 3, 15, 16, tzinfo=UTC)) == date(2026, 3, 16)


@pytest.mark.req("CLM-3")
@pytest.mark.parametrize(
    ("festival", "first", "last", "year"),
    [
        ("spring_festival", date(2098, 12, 1), date(2099, 1, 31), None),
        ("spring_festival", date(2099, 12, 1), date(2100, 1, 31), 2100),
        ("mid_autumn", date(2100, 8, 1), date(2100, 9, 1), 2100),
        ("new_year", date(2150, 12, 1), date(2151, 1, 31), None),
    ],
)
def test_beyond_the_lunar_tables_the_year_that_nobody_reckons_is_named(
    festival: str, first: date, last: date, year: int | None
) -> None:
    assert unreckoned_year(festival, first, last, festival_day) == year
