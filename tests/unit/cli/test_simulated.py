"""The counter simulator: the same seed gives the same stream, days have their shape, and every mishap occurs."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from random import Random

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli.simulated import mishaps
from cli.simulated.calendar import BRANCH, CITY_OUTLET, minute_of_day, share_of_day, weekday_of
from cli.simulated.kinds import KINDS
from cli.simulated.province import Province, Unit, build
from cli.simulated.stream import Arrival, arrivals
from services.tiering.entrypoints.transactions import read_items
from shared.clock import SHANGHAI
from shared.contracts.counter_v1 import LINES
from shared.kernel.credit_codes import clean_uscc
from shared.money import parse_yuan
from tests.support.instance import ROOT

FIRST = date(2026, 3, 2)
"""A Monday of a quiet month."""


def _units() -> list[Unit]:
    told = yaml.safe_load((ROOT / "services/registry/data/organisation.yaml").read_text("utf-8"))["units"]
    return [
        Unit(unit["code"], unit["level"], unit.get("parent"), unit["name_zh"], unit.get("division"))
        for unit in told
    ]


UNITS = _units()


def codes(province: Province) -> dict[int, str]:
    return {customer.number: f"3205{customer.number:08d}1" for customer in province.customers}


def stream(seed: int = 1, days: int = 28, first: date = FIRST, rate: int = 400) -> list[Arrival]:
    province = build(seed, UNITS)
    end = datetime.combine(first + timedelta(days=days), datetime.min.time(), SHANGHAI)
    return list(takewhile(lambda one: one.at < end, arrivals(province, codes(province), first, rate)))


@pytest.fixture(scope="module")
def month() -> list[Arrival]:
    return stream()


def test_the_same_seed_gives_the_same_stream_and_another_seed_another(month: list[Arrival]) -> None:
    assert stream() == month
    assert stream(seed=2)[:100] != month[:100]


def test_a_day_has_the_same_sales_wherever_a_run_begins(month: list[Arrival]) -> None:
    later = {one.event["id"]: one.event for one in stream(first=FIRST + timedelta(days=7), days=1)}
    whole = {one.event["id"]: one.event for one in month if one.event["id"] in later}
    ordinary = [id for id in later if not id.endswith("-R") and id in whole]
    assert len(ordinary) > 300
    assert all(whole[id]["data"]["customer_code"] == later[id]["data"]["customer_code"] for id in ordinary)


def test_everything_says_that_it_is_simulated(month: list[Arrival]) -> None:
    assert all(one.event["source"].startswith("/simulated/1/") for one in month)
    assert {one.event["data"]["product"] for one in month} == {"simulated"}
    assert all(customer.name.startswith("模拟") for customer in build(1, UNITS).customers)


def test_arrivals_come_in_order_and_never_before_they_happened(month: list[Arrival]) -> None:
    assert all(before.at <= after.at for before, after in pairwise(month))
    assert all(datetime.fromisoformat(one.event["data"]["occurred_at"]) <= one.at for one in month)


def test_every_record_is_accepted_as_a_transaction_unless_it_is_garbled(month: list[Arrival]) -> None:
    good = [one.event for one in month if "garbled" not in one.mishaps]
    for start in range(0, len(good), 1000):
        some = good[start : start + 1000]
        assert len(read_items([orjson.dumps(event) for event in some]).outgoing) == len(some)
    for one in (one for one in month if "garbled" in one.mishaps):
        good_ones = [each for each in good if each["id"] == one.event["id"]]
        assert good_ones or one.at > month[-1].at - timedelta(hours=11)


def test_every_mishap_occurs_and_most_sales_have_none(month: list[Arrival]) -> None:
    seen = Counter(mishap for one in month for mishap in one.mishaps)
    assert set(seen) == {*mishaps.CHANCES, "local", "burst"}
    assert sum(not one.mishaps for one in month) > len(month) * 0.75
    for name in ("late", "reversed", "twice"):
        assert 0.5 < seen[name] / (len(month) * mishaps.CHANCES[name]) < 2


def test_each_mishap_is_what_it_is_called(month: list[Arrival]) -> None:
    province = build(1, UNITS)
    own = {customer.uscc: codes(province)[customer.number] for customer in province.customers}
    first: dict[tuple[str, str], Arrival] = {}
    for one in month:
        data, found = one.event["data"], one.mishaps
        identity = (one.event["source"], one.event["id"])
        code = data["customer_code"]
        if "local" in found:
            assert province.local_codes[code].outlets[0].counter_id == data["counter_id"]
        elif "forgotten" in found:
            assert code.startswith("OLD-")
        else:
            assert (code == own[data["payer_uscc"]]) == ("mistyped" not in found)
        if "late" in found and found.isdisjoint({"twice", "altered", "garbled"}):
            days = (one.at.date() - datetime.fromisoformat(data["occurred_at"]).date()).days
            assert 1 <= days <= mishaps.LATE_DAYS_MAX
        if data["kind"] == "sale" and "garbled" not in found:
            ahead = date.fromisoformat(data["business_date"]) - date.fromisoformat(data["occurred_at"][:10])
            assert (ahead >= timedelta(days=10)) == ("ahead" in found)
        if "twice" in found:
            assert one.event == first[identity].event
        elif "altered" in found:
            original = first[identity].event
            assert one.event["data"]["amount"] != original["data"]["amount"]
            assert {**one.event["data"], "amount": ""} == {**original["data"], "amount": ""}
        elif "garbled" not in found:
            assert first.setdefault(identity, one) is one


def test_what_is_taken_back_is_never_more_than_what_was_sold(month: list[Arrival]) -> None:
    sold = {
        (one.event["source"], one.event["id"]): one.event["data"]
        for one in month
        if one.event["data"]["kind"] == "sale" and one.mishaps.isdisjoint({"garbled", "altered"})
    }
    back = [one for one in month if "reversed" in one.mishaps]
    whole = unnamed = 0
    assert len({(one.event["source"], one.event["id"]) for one in back}) == len(back)
    for one in back:
        data = one.event["data"]
        sale = sold.get((one.event["source"], one.event["id"].removesuffix("-R")))
        unnamed += "reverses" not in data
        if sale is None:
            continue  # The sale is later than its reversal, and comes after the month.
        assert (data["customer_code"], data["line"]) == (sale["customer_code"], sale["line"])
        assert 0 < parse_yuan(data["amount"]) <= parse_yuan(sale["amount"])
        whole += data["amount"] == sale["amount"]
    assert 0 < unnamed < len(back) / 2
    assert len(back) / 2 < whole < len(back)


def test_a_burst_is_many_small_sales_of_one_customer_within_minutes(month: list[Arrival]) -> None:
    bursts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in month:
        if "burst" in one.mishaps and one.event["data"]["kind"] == "sale":
            data = one.event["data"]
            bursts[data["payer_uscc"], data["occurred_at"][:10]].append(data["occurred_at"])
    assert bursts
    for times in bursts.values():
        assert len(set(times)) > 1
        first, last = (datetime.fromisoformat(edge(times)) for edge in (min, max))
        assert last - first < timedelta(minutes=4)


def test_a_day_has_a_peak_in_the_morning_and_a_higher_one_in_the_late_afternoon(month: list[Arrival]) -> None:
    ordinary = [one for one in month if "burst" not in one.mishaps and one.event["data"]["kind"] == "sale"]
    hours = Counter(datetime.fromisoformat(one.event["data"]["occurred_at"]).hour for one in ordinary)
    assert hours[16] > hours[10] > hours[12] * 2
    assert hours[10] > hours[9] > hours[8]
    assert hours[16] > hours[14]
    assert set(hours) <= set(range(8, 19))


def test_counters_are_closed_at_night_and_branches_on_sundays(month: list[Arrival]) -> None:
    openings = {outlet.counter_id: outlet.opening for outlet in build(1, UNITS).outlets}
    for one in month:
        if one.event["data"]["kind"] == "reversal":
            continue
        at = datetime.fromisoformat(one.event["data"]["occurred_at"])
        opening = openings[one.event["data"]["counter_id"]].on(at.date())
        assert opening is not None
        # A mailing handed in shortly before closing is worked off behind closed doors.
        assert opening[0] <= at.hour * 60 + at.minute < opening[1] + 3


def test_weekends_are_quieter_and_month_ends_busier(month: list[Arrival]) -> None:
    a_day = Counter(one.event["data"]["occurred_at"][:10] for one in month if "burst" not in one.mishaps)
    by_weekday: dict[int, list[int]] = defaultdict(list)
    for on, sales in a_day.items():
        by_weekday[date.fromisoformat(on).weekday()].append(sales)
    mean = {weekday: sum(all_) / len(all_) for weekday, all_ in by_weekday.items()}
    assert mean[6] < mean[5] < min(mean[day] for day in range(5))
    bank = next(kind for kind in KINDS if kind.name_zh == "银行")
    assert share_of_day(bank, date(2026, 3, 31)) > 2 * share_of_day(bank, date(2026, 3, 24))
    assert share_of_day(bank, date(2026, 3, 26)) < share_of_day(bank, date(2026, 3, 27))


def test_holidays_are_like_sundays_and_the_weekend_worked_for_them_is_not() -> None:
    spring_festival, worked = date(2026, 2, 17), date(2026, 2, 14)
    assert (weekday_of(spring_festival), weekday_of(worked)) == (6, 2)
    assert BRANCH.on(spring_festival) is None
    assert BRANCH.on(worked) == BRANCH.working
    shop = next(kind for kind in KINDS if kind.name_zh == "电子商务")
    assert 0 < share_of_day(shop, spring_festival) < share_of_day(shop, date(2026, 3, 8))
    assert [weekday_of(date(2050, 1, day)) for day in range(3, 10)] == list(range(7))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name_zh)
def test_a_usual_week_of_any_kind_is_seven_ordinary_days(kind: object) -> None:
    week = [share_of_day(kind, FIRST + timedelta(days=passed)) for passed in range(7)]  # type: ignore[arg-type]
    assert sum(week) == pytest.approx(7)


def test_lines_follow_the_kind_of_the_customer_and_all_lines_are_sold(month: list[Arrival]) -> None:
    kinds = {customer.uscc: customer.kind for customer in build(1, UNITS).customers}
    good = [one.event["data"] for one in month if "garbled" not in one.mishaps]
    assert {data["line"] for data in good} == set(LINES)
    assert all(data["line"] in kinds[data["payer_uscc"]].lines for data in good)


def test_what_customers_spend_in_a_year_is_what_they_are_said_to_with_their_growth() -> None:
    province = build(3, UNITS, 12)
    end = datetime(2027, 1, 1, tzinfo=SHANGHAI)
    spent: Counter[str] = Counter()
    for one in takewhile(
        lambda one: one.at < end, arrivals(province, codes(province), date(2026, 1, 1), 120)
    ):
        if one.event["data"]["kind"] == "sale" and one.mishaps.isdisjoint({"twice", "altered", "garbled"}):
            spent[one.event["data"]["payer_uscc"]] += parse_yuan(one.event["data"]["amount"])
    for customer in province.customers:
        # Growth is reached at the end of the year: over the year it is half in effect, on a curve.
        grown = customer.yearly_fen * sum(customer.growth ** (day / 365) for day in range(365)) / 365
        assert 0.65 < spent[customer.uscc] / grown < 1.35, customer
    assert any(customer.growth > 1.2 for customer in province.customers)
    assert any(customer.growth < 0.9 for customer in province.customers)


def test_a_province_has_two_outlets_in_every_county_and_codes_of_the_right_form() -> None:
    province = build(5, UNITS, 60)
    counties = [unit.code for unit in UNITS if unit.level == "county"]
    assert {outlet.unit_code for outlet in province.outlets} == set(counties)
    assert all(len([o for o in province.outlets if o.unit_code == code]) >= 2 for code in counties)
    assert all(len(outlet.counter_id) <= 32 for outlet in province.outlets)
    assert "32058301" in {outlet.counter_id for outlet in province.outlets}
    assert len({customer.uscc for customer in province.customers}) == 60
    assert all(clean_uscc(customer.uscc) == customer.uscc for customer in province.customers)
    assert 0 < len(province.local_codes) < 30
    with pytest.raises(ValueError, match="county"):
        build(1, [unit for unit in UNITS if unit.level == "city"])


def test_a_customer_without_a_code_posts_nothing() -> None:
    province = build(1, UNITS)
    some = dict(list(codes(province).items())[:3])
    seen = {one.event["data"]["payer_uscc"] for one in islice(arrivals(province, some, FIRST, 50), 300)}
    assert seen <= {customer.uscc for customer in province.customers[:3]}
    assert list(arrivals(province, {}, FIRST)) == []


@given(st.integers(), st.text(max_size=20))
def test_a_mistyped_code_is_another_code(seed: int, code: str) -> None:
    assert mishaps.mistyped(Random(seed), code) != code


@given(st.integers())
def test_somebody_comes_while_the_counter_is_open(seed: int) -> None:
    for opening in (CITY_OUTLET.working, BRANCH.working, BRANCH.saturday, CITY_OUTLET.sunday):
        assert opening is not None
        assert opening[0] <= minute_of_day(Random(seed), opening) < opening[1]
