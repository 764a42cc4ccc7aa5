"""The checker's own recomputation, on small inputs: each law holds for a good book and is missed by a bad one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from verifier.bookings import Account, Booking, Change, Merges, MonthTotal, Pages, Standing
from verifier.check_books import Customer
from verifier.check_changes import Published, payload_differences
from verifier.check_codes import serial_differences
from verifier.check_ledger import Entry, NamedSale, Order, marks_of, reversal_differences
from verifier.check_offsets import Kept, accounted, arrival_of
from verifier.check_revenue import Expected, States
from verifier.check_suspense import Waiting, row_differences
from verifier.check_tiers import Rules, Tiers
from verifier.check_totals import Totals, booked_years_differences
from verifier.report import Difference, Report
from verifier.schemes import read_schemes
from verifier.settings import SHIPPED_SCHEMES, SettingsError
from verifier.topics import Record
from verifier.words import LINES, check_digit, fen_of, identity_of, yuan

CODE = "3205000000011"
THEN = datetime(2026, 3, 9, 2, 11, 12, 345_678, tzinfo=UTC)
EXPRESS = LINES.index("express")
SCHEMES = [one for one in read_schemes(SHIPPED_SCHEMES) if one.scheme == "city-default"]
AGREED = [{"number": "XY-1", "signed_on": "2026-01-05", "lines": [], "in_force": True}]


def booking(seq: int, fen: int, on: date = date(2026, 3, 9), **changes: Any) -> Booking:
    made = Booking(1, seq, "/counters/1", f"t{seq}", EXPRESS, on, fen, None, False, THEN)
    return made._replace(**changes)


def change(version: int, start: str, end: str, fen: int, cause: str | None, **changes: Any) -> Change:
    event = {
        "customer_code": CODE, "scheme": "city-default", "scheme_version": 1, "version": version, "from_tier": start,
        "to_tier": end, "direction": "promotion", "reason": "threshold_reached", "effective_on": "2026-03-09",
        "period": "2026", "total": yuan(fen), "key_account": True, "decided_at": "2026-03-09T10:11:12.345+08:00",
        "caused_by": {"source": "/counters/1", "id": cause}, **changes,
    }  # fmt: skip
    return Change(1, version, "city-default", version, CODE, THEN, event)


def standing(tier: int, last: Change | None, **changes: Any) -> Standing:
    made = Standing("city-default", tier, signed_on=date(2026, 1, 5))
    if last is not None:
        made = replace(
            made, version=last.version, effective_on=last.effective_on, direction=str(last.event["direction"]),
            from_tier=SCHEMES[0].number(last.event["from_tier"]), reason=str(last.event["reason"]), year=last.year,
            total_fen=last.total_fen,
        )  # fmt: skip
    return replace(made, **changes)


def replayed(
    bookings: list[Booking], changes: list[Change], held: Standing, **rules: Any
) -> list[Difference]:
    account = Account(1, CODE, "active", None, AGREED)
    pages = Pages(1, account, changes=changes, standings={"city-default": held})
    tiers = Tiers(pages, Rules(SCHEMES, **{"marks": [], "groups": {CODE: frozenset({None})}, **rules}))
    for one in bookings:
        tiers.book(one)
    return tiers.differences()


BOOKINGS = [booking(1, 4_999_999), booking(2, 1), booking(3, 100)]
ORDINARY = change(1, "none", "ordinary", 4_999_999, "t1")
SILVER = change(2, "ordinary", "silver", 5_000_000, "t2")


def test_money_is_read_and_printed_without_loss() -> None:
    assert [fen_of(text) for text in ("0.1", "12", "-3.05", "9999999999.99")] == [
        10,
        1200,
        -305,
        999_999_999_999,
    ]
    assert yuan(-305) == "-3.05"


def test_the_check_digit_is_that_of_the_first_code() -> None:
    assert check_digit("320500000001") == "1"


def test_thresholds_follow_the_city_group_and_round_half_up() -> None:
    letters = next(one for one in read_schemes(SHIPPED_SCHEMES) if one.scheme == "guangdong-letters")
    assert [letters.limits(group)[0] for group in (None, 1, 2, 3)] == [1_000_000, 1_000_000, 900_000, 800_000]
    assert letters.level(799_999, 3) == 0
    assert letters.level(800_000, 3) == 1


@pytest.mark.req("TIE-6")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("evaluated: continuously", "evaluated: quarterly"),
        ("needs_agreement: true", "needs_agreement: true\n    units: [3205]"),
        ("by_city_group: true", "by_unit: true"),
        ("role: province", "role: steward"),
        ("signed_by:", "colour: red\nsigned_by:"),
    ],
)
def test_a_scheme_with_anything_that_is_not_recomputed_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = (SHIPPED_SCHEMES / "guangdong-letters.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "guangdong-letters.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^guangdong-letters\.yaml: .*allowed"):
        read_schemes(tmp_path)


@pytest.mark.req("TIE-2")
def test_totals_that_equal_the_ledger_pass_and_every_other_is_found() -> None:
    month = MonthTotal(1, 202603, EXPRESS, 5_000_100, 0, 3, 0)

    def differing(months: dict[tuple[int, int], MonthTotal]) -> list[str]:
        totals = Totals(Pages(1, months=months))
        for one in BOOKINGS:
            totals.book(one)
        return [one.what for one in totals.differences()]

    assert differing({(202603, EXPRESS): month}) == []
    assert differing({(202603, EXPRESS): month._replace(amount_fen=1)}) == ["amount"]
    assert differing({(202603, EXPRESS): month._replace(bookings=2, pieces=1)}) == ["pieces", "count"]
    assert differing({}) == ["month total"]
    assert differing({(202603, EXPRESS): month, (202604, 0): month}) == ["month total"]
    assert [one.where for one in booked_years_differences({2025, 2026}, {2026, 2027})] == [
        "year 2025",
        "year 2027",
    ]


@pytest.mark.req("TIE-1")
def test_the_ledgers_order_finds_gaps_signs_and_foreign_identities() -> None:
    def entry(seq: int, fen: int = 1, **changes: Any) -> Entry:
        made = Entry(seq, identity_of("/c", f"t{seq}"), "/c", f"t{seq}", 0, "sale", fen, 2026, False, THEN)
        return made._replace(**changes)

    def found(*entries: Entry) -> list[str]:
        order = Order(marks_of([]))
        for one in entries:
            order.follow(one)
        return [one.what for one in order.found]

    assert found(entry(1), entry(2), entry(3, -1, kind="reversal")) == []
    assert found(entry(1), entry(3)) == ["number after the one before"]
    assert found(entry(1, -1)) == ["amount of a sale"]
    assert found(entry(1, identity=identity_of("/c", "other"))) == ["identity of its source and id"]
    assert found(entry(1, late=True)) == ["late mark"]


@pytest.mark.req("TIE-9")
def test_the_late_mark_begins_once_for_each_close() -> None:
    def entry(seq: int, year: int, late: bool) -> Entry:
        return Entry(seq, identity_of("/c", f"t{seq}"), "/c", f"t{seq}", 0, "sale", 1, year, late, THEN)

    closes = [(2025, THEN, None)]
    order = Order(marks_of(closes))
    for one in (entry(1, 2024, False), entry(2, 2025, True), entry(3, 2026, False), entry(4, 2024, True)):
        order.follow(one)
    assert order.found == []
    assert (order.marks[0].after_seq, order.marks[0].before_seq) == (1, 2)
    order.follow(entry(5, 2025, False))
    assert [one.where for one in order.found] == ["seq 5"]


@pytest.mark.req("TIE-4")
def test_reversals_by_name_stay_within_their_sale() -> None:
    sale = NamedSale(UUID(int=1), 100, 100, frozenset({(1, 2)}), frozenset({(1, 2, 100)}))
    assert reversal_differences(sale) == []
    assert reversal_differences(sale._replace(reversed_fen=101, noted_fen=101))
    assert reversal_differences(sale._replace(noted_fen=99))
    assert reversal_differences(sale._replace(sales=frozenset()))
    assert reversal_differences(sale._replace(takers=frozenset({(2, 2)})))
    # After `replace` the larger of the two contents is the limit.
    replaced = sale._replace(sales=frozenset({(1, 2, 50), (1, 2, 100)}))
    assert reversal_differences(replaced) == []


@pytest.mark.req("TIE-7", "TIE-24")
def test_a_true_chain_of_promotions_passes() -> None:
    assert replayed(BOOKINGS, [ORDINARY, SILVER], standing(2, SILVER)) == []


@pytest.mark.req("TIE-7", "TIE-24")
@pytest.mark.parametrize(
    ("changes", "held", "what"),
    [
        ([ORDINARY, replace(SILVER, event={**SILVER.event, "total": "50000.01"})], 2, "total after seq 2"),
        (
            [ORDINARY, replace(SILVER, event={**SILVER.event, "to_tier": "gold"})],
            3,
            "tier that 50000.00 reaches",
        ),
        ([ORDINARY, replace(SILVER, event={**SILVER.event, "from_tier": "none"})], 2, "from_tier"),
        ([ORDINARY, replace(SILVER, event={**SILVER.event, "direction": "demotion"})], 2, "direction"),
        (
            [ORDINARY, replace(SILVER, event={**SILVER.event, "effective_on": "2026-03-10"})],
            2,
            "effective_on",
        ),
        ([ORDINARY, replace(SILVER, event={**SILVER.event, "key_account": False})], 2, "key_account"),
        ([ORDINARY, change(3, "ordinary", "silver", 5_000_000, "t2")], 2, "version"),
        ([ORDINARY, change(2, "ordinary", "silver", 5_000_100, "t3")], 2, "booking that crossed"),
        ([ORDINARY, change(2, "ordinary", "silver", 5_000_000, "t9")], 2, "booking that caused it"),
        ([ORDINARY], 1, "tier justified now"),
    ],
)
def test_a_false_change_is_found(changes: list[Change], held: int, what: str) -> None:
    assert what in [one.what for one in replayed(BOOKINGS, changes, standing(held, changes[-1]))]


@pytest.mark.req("TIE-20")
def test_a_standing_that_is_not_its_last_change_is_found() -> None:
    held = standing(2, SILVER, version=3)
    assert [one.what for one in replayed(BOOKINGS, [ORDINARY, SILVER], held)] == ["standing's version"]
    ended = standing(2, SILVER, signed_on=None)
    assert [one.what for one in replayed(BOOKINGS, [ORDINARY, SILVER], ended)] == ["agreement in force"]


@pytest.mark.req("TIE-9")
def test_a_close_demotes_to_what_the_closed_and_the_later_years_justify() -> None:
    closed_at = datetime(2027, 1, 5, 16, tzinfo=UTC)
    marks = marks_of([(2026, closed_at, closed_at + timedelta(minutes=1))])
    bookings = [
        booking(1, 5_000_000),
        booking(2, -4_500_000),
        booking(3, 1_000_000, date(2027, 1, 2), booked_at=closed_at - timedelta(days=3)),
        booking(4, 700_000, late=True, booked_at=closed_at + timedelta(days=3)),
    ]
    marks[0].after_seq, marks[0].before_seq = 2, 4
    up = change(1, "none", "silver", 5_000_000, "t1")
    down = replace(
        change(
            2, "silver", "ordinary", 500_000, None, direction="demotion", reason="year_end", caused_by=None,
            effective_on="2027-01-01", decided_at="2027-01-06T00:00:00.000+08:00",
        ),
        decided_at=closed_at,
    )  # fmt: skip
    held = standing(1, down, closed_through=2026)
    assert replayed(bookings, [up, down], held, marks=marks) == []
    wrong = replace(down, event={**down.event, "total": "12000.00"})
    assert replayed(bookings, [up, wrong], standing(1, wrong, closed_through=2026), marks=marks)
    low = replace(down, event={**down.event, "to_tier": "none", "key_account": False})
    assert replayed(bookings, [up, low], standing(0, low, closed_through=2026), marks=marks)
    kept = standing(2, up, closed_through=2026)
    assert "tier ever justified" in [one.what for one in replayed(bookings, [up], kept, marks=marks)]


def record(offset: int, data: str, **headers: str) -> Record:
    attributes = {"content-type": "application/json", "ce_specversion": "1.0", **headers}
    return Record(
        "t", 0, offset, CODE.encode(), data.encode(), tuple((k, v.encode()) for k, v in attributes.items())
    )


@pytest.mark.req("TIE-21")
def test_the_topic_of_changes_is_followed_without_gap_or_repetition() -> None:
    def told(version: int) -> Record:
        data = f'{{"customer_code": "{CODE}", "scheme": "s", "version": {version}}}'
        return record(version, data, ce_id=f"{CODE}|s|{version}", ce_source="/tiering",
                      ce_type="keypost.tiering.tier-changed.v1")  # fmt: skip

    def found(*versions: int) -> list[str]:
        published = Published()
        for version in versions:
            published.follow(told(version))
        return [one.what for one in published.found]

    assert found(1, 2, 3) == []
    assert found(1, 2, 2) == ["once, in order"]
    assert found(1, 3) == ["version after the one before"]
    assert payload_differences("x", {"a": 1, "b": None}, {"a": 1, "b": None}) == []
    assert [one.what for one in payload_differences("x", {"a": 1}, {"a": "1", "c": 2})] == ["a", "c"]


SALE = (
    '{"customer_code": "A", "counter_id": "1", "line": "express", "kind": "sale", "amount": "10.0", '
    '"occurred_at": "2026-01-15T23:31:07+08:00"%s}'
)
EVENT = {"ce_id": "1", "ce_source": "/c", "ce_type": "keypost.counter.transaction.v1"}


@pytest.mark.req("TIE-1", "PLT-2")
def test_a_record_is_accounted_for_by_the_same_content_only() -> None:
    arrival = arrival_of(record(0, SALE % "", **EVENT))
    assert arrival is not None
    assert accounted(arrival, Kept(1, arrival.said.kept))
    assert accounted(arrival, Kept(1, None, (arrival.said,)))
    assert not accounted(arrival, None)
    assert not accounted(arrival, Kept(1, arrival.said._replace(amount_fen=1001).kept))
    evidence = arrival.said._replace(product="EMS").evidence
    assert accounted(arrival, Kept(1, arrival.said.kept, evidence=arrival.said.evidence))
    assert not accounted(arrival, Kept(1, arrival.said.kept, evidence=evidence))
    same = arrival_of(
        record(1, SALE % ', "business_date": "2026-01-15", "settlement": "cash", "x": 1', **EVENT)
    )
    assert same is not None
    assert same.said == arrival.said


@pytest.mark.parametrize(
    "more", [', "amount": 10', ', "kind": "gift"', ', "business_date": "yesterday"', ', "pieces": -1']
)
def test_a_record_that_breaks_a_rule_is_nobodys_transaction(more: str) -> None:
    assert arrival_of(record(0, SALE % more, **EVENT)) is None


def test_both_modes_of_an_event_say_the_same() -> None:
    whole = f'{{"specversion": "1.0", "id": "1", "source": "/c", "type": "{EVENT["ce_type"]}", "data": {SALE % ""}}}'
    structured = arrival_of(Record("t", 0, 0, None, whole.encode(), ()))
    binary = arrival_of(record(0, SALE % "", **EVENT))
    assert structured is not None and binary is not None
    assert (structured.said, structured.identity) == (binary.said, binary.identity)


@pytest.mark.req("TIE-4", "TIE-5")
def test_nothing_is_held_whose_cause_is_gone() -> None:
    row = Waiting(
        1, identity_of("/c", "1"), "/c", "1", "held", "unknown_code", True, True, None, None, None, False
    )
    assert row_differences(row) == []
    assert row_differences(row._replace(known=True))
    assert row_differences(row._replace(reason="sale_unknown", sale=7))
    assert row_differences(row._replace(points_to=3, own=3))
    assert row_differences(row._replace(claimed=False))
    assert row_differences(row._replace(state="booked"))
    # After `replace` the identity points to another's booking, and the row itself is booked nowhere.
    assert row_differences(row._replace(points_to=3)) == []


def test_every_serial_is_issued_or_skipped() -> None:
    assert serial_differences("r", 4, {1, 2, 4}, {3}) == []
    assert [one.where for one in serial_differences("r", 6, {1, 5}, {})] == ["r serial 2 to 4", "r serial 6"]
    assert [one.what for one in serial_differences("r", 1, {1, 2}, {1})] == [
        "issued or skipped",
        "last serial",
    ]


def test_a_difference_counts_when_two_passes_met_it() -> None:
    first, second = Report(), Report()
    first.add([Difference("c", "a", "w", "1", "2"), Difference("c", "b", "w", "1", "2")])
    second.add([Difference("c", "b", "w", "1", "3"), Difference("c", "d", "w", "1", "2")])
    assert [one.where for one in second.confirmed_by(first).differences] == ["b"]


# Merges and revenue --------------------------------------------------------------------------------


def customer_of(*bookings: Booking, seq: int, merged_change: Change | None = None) -> list[Difference]:
    """Account 2 merged into account 1 behind a booking; account 1 ends with the change."""
    survivor = Account(1, CODE, "active", None, AGREED)
    alias = Account(2, "alias", "merged", None, [], 1, seq, date(2026, 5, 10))
    changes = [] if merged_change is None else [merged_change]
    held = standing(0 if merged_change is None else 1, merged_change)
    pages = {
        1: Pages(1, survivor, changes=changes, standings={"city-default": held}),
        2: Pages(2, alias),
    }
    rules = Rules(SCHEMES, [], groups={CODE: frozenset({None}), "alias": frozenset({None})})
    customer = Customer(1, pages, rules, Merges({2: 1}))
    for one in bookings:
        customer.book(one)
    return customer.differences()


@pytest.mark.req("TIE-14")
def test_a_merge_is_replayed_where_it_is_noted() -> None:
    apart = [booking(1, 600_000, own=1), booking(2, 400_000, own=2)]
    took = change(1, "none", "ordinary", 1_000_000, None, reason="merged", direction="correction",
                  effective_on="2026-05-10", caused_by={"source": "/registry", "id": "customer|1|2"})  # fmt: skip
    assert customer_of(*apart, seq=2, merged_change=took) == []
    assert [one.what for one in customer_of(*apart, seq=2)] == ["tier justified now"]
    # Noted before the alias's last booking, which then was booked for a customer that was no more.
    assert "booked for" in [one.what for one in customer_of(*apart, seq=1, merged_change=took)]
    other = replace(took, event={**took.event, "total": "10000.01"})
    assert "total of 2026" in [one.what for one in customer_of(*apart, seq=2, merged_change=other)]


@pytest.mark.req("TIE-14")
def test_merges_lead_to_one_account_and_circles_are_found() -> None:
    merges = Merges({1: 2, 2: 3, 5: 3})
    assert [merges.root(number) for number in (1, 2, 3, 5, 9)] == [3, 3, 3, 3, 9]
    assert [merges.depth(number) for number in (1, 2, 3)] == [2, 1, 0]
    assert merges.circles == []
    assert set(Merges({1: 2, 2: 1}).circles) == {1, 2}


@pytest.mark.req("TIE-2", "TIE-14")
def test_revenue_that_is_not_the_ledgers_is_found_and_so_is_what_was_never_told() -> None:
    expected = Expected()
    expected.add(CODE, {(202603, EXPRESS): [100, 0, 1, 0]})
    expected.add_alias("alias", CODE, [2026])

    def told(code: str, version: int, fen: int | None, into: str | None = None) -> Record:
        cell = {"month": 3, "line": "express", "amount": yuan(fen or 0), "pieces": 0, "transactions": 1}
        data = {"customer_code": code, "year": 2026, "version": version, "merged_into": into,
                "months": [] if fen is None else [cell], "as_of": "2026-03-09T10:11:12.345+08:00"}  # fmt: skip
        key = f"{code}|2026"
        headers = {"ce_specversion": "1.0", "ce_id": f"revenue|{key}|{version}", "ce_source": "/tiering",
                   "ce_type": "keypost.tiering.revenue-state.v1", "content-type": "application/json"}  # fmt: skip
        pairs = tuple((name, value.encode()) for name, value in headers.items())
        return Record("tiering.revenue.v1", 0, version, key.encode(), json.dumps(data).encode(), pairs)

    def found(*records: Record) -> list[str]:
        states = States(expected.digests, lambda record: True)
        states.follow(records)
        return [f"{one.where} {one.found}" for one in states.differences()]

    assert (
        found(told(CODE, 1, 90), told("alias", 2, 10), told(CODE, 3, 100), told("alias", 3, None, CODE)) == []
    )
    assert found(told(CODE, 1, 100), told("alias", 3, 10)) == ["alias|2026 others"]
    assert found(told("alias", 3, None, CODE)) == [f"{CODE}|2026 not told"]
    assert found(told(CODE, 1, 100), told("alias", 3, None, CODE), told("other", 4, 5)) == ["other|2026 told"]
    assert len(found(told(CODE, 3, 1), told(CODE, 2, 100), told("alias", 3, None, CODE))) == 1
