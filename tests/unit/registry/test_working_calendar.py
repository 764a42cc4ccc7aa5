"""China's working calendar, and limits that are counted by it or by the clock."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lunar_python import Solar
from lunardate import LunarDate

from services.registry.adapters.declaration_files import read_calendar, read_time_limits
from services.registry.domain.organisation import Unit, build_tree
from services.registry.domain.time_limits import NoTimeLimit, Run, TimeLimit, TimeLimits
from services.registry.domain.working_calendar import WorkingCalendar, provisional_year

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = read_calendar()
HOURS_48 = timedelta(hours=48)

pytestmark = pytest.mark.req("REG-3")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("arrived", "due"),
    [
        ("2026-03-06T15:00", "2026-03-10T15:00"),  # a Friday to Tuesday
        ("2026-03-09T10:00", "2026-03-11T10:00"),  # a Monday
        ("2026-03-07T11:00", "2026-03-11T00:00"),  # on a Saturday it begins on Monday
        (
            "2026-02-13T15:00",
            "2026-02-24T15:00",
        ),  # Spring Festival: Saturday the 14th and Tuesday the 24th are worked
        ("2026-02-28T09:00", "2026-03-03T09:00"),  # a Saturday that is worked in exchange
        ("2026-01-04T09:00", "2026-01-06T09:00"),  # a Sunday that is worked in exchange
        ("2026-09-30T15:00", "2026-10-09T15:00"),  # National Day
        ("2026-12-31T12:00", "2027-01-05T12:00"),  # into a year that is not published yet: 1 January is off
    ],
)
def test_forty_eight_working_hours_pass_over_days_off(arrived: str, due: str) -> None:
    assert CALENDAR.after(at(arrived), HOURS_48) == at(due)
    assert CALENDAR.between(at(arrived), at(due)) == HOURS_48


def test_the_file_says_what_was_published_for_2024_to_2026() -> None:
    day = date(2024, 1, 1)
    while day.year < 2027:
        assert CALENDAR.is_worked(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)
    assert [year for year in CALENDAR.years if not CALENDAR.year(year).provisional] == [2024, 2025, 2026]


def test_later_years_have_the_statutory_holidays_with_days_in_lieu_and_say_that_they_are_provisional() -> (
    None
):
    for year in range(2027, 2037):
        listed = CALENDAR.year(year)
        assert listed.provisional and not listed.worked
        new_year = LunarDate(year, 1, 1).to_solar_date()
        named = {new_year + timedelta(days=passed) for passed in (-1, 0, 1, 2)}
        named |= {LunarDate(year, 5, 5).to_solar_date(), LunarDate(year, 8, 15).to_solar_date()}
        named |= {
            date(year, month, day) for month, day in ((1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3))
        }
        named |= {date(year, 4, day) for day in (4, 5) if term_of(date(year, 4, day)) == "清明"}
        on_weekends = sum(day.weekday() >= 5 for day in named)
        in_lieu = listed.off - named
        assert listed.off - in_lieu == {day for day in named if day.weekday() < 5}, year
        assert len(in_lieu) == on_weekends and all(day.weekday() < 5 for day in in_lieu), year


def test_a_holiday_on_a_weekend_gives_the_next_working_day_in_lieu() -> None:
    in_lieu = ("02-09", "02-10", "05-03", "05-04", "10-04", "10-05")
    weekdays = ("01-01", "02-05", "02-08", "04-05", "06-09", "09-15", "10-01")
    assert CALENDAR.year(2027).off == {date.fromisoformat(f"2027-{day}") for day in (*weekdays, *in_lieu)}
    # New Year's Day of 2028 is a Saturday: what arrives on the Friday before is due after Monday as well.
    assert CALENDAR.after(at("2027-12-31T12:00"), HOURS_48) == at("2028-01-05T12:00")


def test_days_in_lieu_of_days_that_have_passed_are_those_that_were_published() -> None:
    # Of 2025 the notice gave the same for Dragon Boat (Saturday 31 May) and moved nothing around it.
    assert provisional_year([date(2025, 5, 31)]).off == {date(2025, 6, 2)}
    assert date(2025, 6, 2) in CALENDAR.year(2025).off


def term_of(day: date) -> str:
    """The solar term that begins on a day, or nothing."""
    term: str = Solar.fromYmd(day.year, day.month, day.day).getLunar().getJieQi()
    return term


def test_a_year_that_nobody_listed_has_weekends_and_is_provisional() -> None:
    assert CALENDAR.year(2099).provisional
    assert CALENDAR.is_worked(date(2099, 1, 1))
    assert not CALENDAR.is_worked(date(2099, 1, 3))


moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31)).map(
    lambda moment: moment.replace(tzinfo=SHANGHAI)
)
spans = st.integers(0, 30 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(moments, spans)
def test_what_is_counted_to_the_end_of_a_span_is_the_span(start: datetime, span: timedelta) -> None:
    end = CALENDAR.after(start, span)
    assert end >= start
    assert CALENDAR.between(start, end) == span


@given(moments, moments, moments)
def test_time_before_and_after_a_moment_adds_up(a: datetime, b: datetime, c: datetime) -> None:
    first, second, third = sorted((a, b, c))
    parts = CALENDAR.between(first, second) + CALENDAR.between(second, third)
    assert parts == CALENDAR.between(first, third)
    assert CALENDAR.between(third, first) == timedelta() or first == third


@pytest.mark.parametrize("mode", ["clock", "working"])
def test_a_run_that_stands_still_counts_nothing_and_goes_on_with_what_was_left(mode: str) -> None:
    run = Run(mode, HOURS_48, timedelta(hours=36), since=at("2026-03-09T10:00"))  # type: ignore[arg-type]
    paused = run.paused(at("2026-03-09T20:00"), CALENDAR)
    assert (paused.spent, paused.due_at(CALENDAR)) == (timedelta(hours=10), None)
    assert paused.counted(at("2026-03-12T00:00"), CALENDAR) == timedelta(hours=10)
    again = paused.resumed(at("2026-03-16T08:00"))
    assert again.due_at(CALENDAR) == at("2026-03-17T22:00")
    assert again.warn_at(CALENDAR) == at("2026-03-17T10:00")


def test_a_run_that_is_used_up_is_due_as_soon_as_it_goes_on() -> None:
    spent = Run("clock", HOURS_48, timedelta(hours=36), spent=timedelta(hours=50))
    again = spent.resumed(at("2026-03-16T08:00"))
    assert again.due_at(CALENDAR) == again.warn_at(CALENDAR) == at("2026-03-16T08:00")
    assert again.left(at("2026-03-16T08:00"), CALENDAR) == -timedelta(hours=2)


def limit(unit: str, valid_from: date, hours: int) -> TimeLimit:
    hour = timedelta(hours=1)
    return TimeLimit(unit, valid_from, "clock", hour * (hours - 1), hour * hours, hour)


def test_the_nearest_unit_with_a_limit_counts_and_of_several_the_latest_in_force() -> None:
    tree = build_tree(
        [
            Unit("CN", "全国", "National", "national", None),
            Unit("32", "江苏", "Jiangsu", "province", "CN"),
            Unit("3205", "苏州", "Suzhou", "city", "32"),
        ]
    )
    entries = (
        limit("CN", date(2000, 1, 1), 48),
        limit("3205", date(2026, 1, 1), 24),
        limit("3205", date(2026, 6, 1), 12),
    )
    limits = TimeLimits(1, entries, WorkingCalendar())

    def hours(unit: str, on: date) -> float:
        return limits.of(tree, unit, on).limit / timedelta(hours=1)

    assert hours("32", date(2026, 3, 1)) == 48
    assert hours("3205", date(2025, 12, 31)) == 48
    assert hours("3205", date(2026, 1, 1)) == 24
    assert hours("3205", date(2026, 6, 1)) == 12
    with pytest.raises(NoTimeLimit):
        limits.of(tree, "3205", date(1999, 1, 1))


def test_the_shipped_limits_are_48_hours_with_a_warning_at_36() -> None:
    (entry,) = read_time_limits().entries
    assert (entry.unit, entry.mode) == ("CN", "clock")
    assert (entry.warn, entry.limit, entry.pre_review) == (timedelta(hours=36), HOURS_48, HOURS_48)
