"""The benchmark's made-up transactions and its oracle, without engines."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise

from bench.verifying import differences
from bench.workload import LINES, THRESHOLDS_FEN, Sale, Sent, Workload, customer_code, event_id, expected_of
from services.tiering.adapters.scheme_files import load_schemes
from services.tiering.domain import scheme as rules
from shared.contracts.counter_v1 import ReadTransaction, read_transaction
from shared.messaging.records import Record

SMALL = Workload(events=20_000, customers=200, today=date(2026, 11, 22))


def record_of(sent: Sent) -> Record:
    return Record("counter.transactions.v1", 0, 0, sent.key, sent.value, tuple(sent.headers), 0)


def test_every_record_reads_as_the_transaction_that_the_oracle_counts() -> None:
    for number in range(500):
        sale = SMALL.sale(number)
        read = read_transaction(record_of(SMALL.record(sale)))
        assert isinstance(read, ReadTransaction)
        said = read.transaction
        assert (read.id, said.customer_code) == (event_id(number), SMALL.codes[sale.customer])
        assert (said.line, said.amount_fen if said.kind == "sale" else -said.amount_fen) == (
            LINES[sale.line],
            sale.fen,
        )
        assert date(2026, 1, 1) <= said.business_date < SMALL.today


def test_the_same_seed_gives_the_same_records_and_another_seed_gives_others() -> None:
    again = Workload(events=20_000, customers=200, today=SMALL.today)
    other = Workload(events=20_000, customers=200, today=SMALL.today, seed=8)
    records = [SMALL.record(SMALL.sale(number)) for number in range(50)]
    assert records == [again.record(again.sale(number)) for number in range(50)]
    assert records != [other.record(other.sale(number)) for number in range(50)]


def test_one_in_a_hundred_is_sent_again_near_or_far_and_three_are_reversals() -> None:
    repeated = [
        (place, number) for place in range(SMALL.events) if (number := SMALL.number_at(place)) != place
    ]
    assert 0.008 < len(repeated) / SMALL.events < 0.012
    far = [place - number for place, number in repeated if place - number > 1500]
    assert 0.3 < len(far) / len(repeated) < 0.6
    assert max(far) > SMALL.events / 2
    reversals = sum(SMALL.sale(number).fen < 0 for number in range(SMALL.events))
    assert 0.025 < reversals / SMALL.events < 0.035


def test_a_value_has_about_three_hundred_bytes() -> None:
    sizes = [len(SMALL.record(SMALL.sale(number)).value) for number in range(200)]
    assert 270 < sum(sizes) / len(sizes) < 330


def test_the_oracle_counts_a_transaction_once_however_often_it_comes() -> None:
    numbers = [SMALL.number_at(place) for place in range(SMALL.events)]
    expected = SMALL.expected()
    assert expected.booked == len(set(numbers)) < len(numbers)
    assert sum(expected.totals.values()) == sum(SMALL.sale(number).fen for number in set(numbers))
    twice = expected_of(SMALL, (SMALL.sale(number) for number in [*numbers, *numbers]))
    assert (twice.totals, twice.changes) == (expected.totals, expected.changes)


def sale(number: int, fen: int) -> Sale:
    return Sale(number, 3, 2, fen, 1, 0, 0, 0)


def test_a_tier_is_raised_by_the_sale_that_reaches_it_and_by_no_reversal() -> None:
    first = THRESHOLDS_FEN[0]
    sales = [sale(1, first - 1), sale(2, -500), sale(3, 500), sale(4, 1), sale(5, -9_000), sale(6, 10_000)]
    changes = expected_of(SMALL, iter(sales)).changes
    assert [(change.to_tier, change.total_fen, change.cause) for change in changes] == [
        ("ordinary", first, event_id(4))
    ]


def test_one_sale_may_raise_by_several_levels_at_once() -> None:
    (change,) = expected_of(SMALL, iter([sale(1, THRESHOLDS_FEN[2])])).changes
    assert (change.from_tier, change.to_tier, change.version) == ("none", "gold", 1)


def test_versions_count_without_gaps_and_levels_rise() -> None:
    changes = SMALL.expected().changes
    by_customer = Counter(change.customer_code for change in changes)
    assert max(by_customer.values()) > 1
    for code in by_customer:
        own = [change for change in changes if change.customer_code == code]
        assert [change.version for change in own] == list(range(1, len(own) + 1))
        assert all(low.to_tier == high.from_tier for low, high in pairwise(own))


def test_the_oracle_knows_the_thresholds_that_the_product_ships() -> None:
    scheme = next(scheme for scheme in load_schemes() if scheme.code == "city-default")
    assert scheme.versions[0].thresholds(None) == THRESHOLDS_FEN
    assert rules.LINES == LINES


def test_a_missing_change_and_a_wrong_total_are_found() -> None:
    expected = SMALL.expected()
    totals = {(SMALL.codes[customer], line): fen for (customer, line), fen in expected.totals.items()}
    assert differences(SMALL, expected, totals, expected.changes) == []
    assert differences(SMALL, expected, totals, expected.changes[:-1])
    totals[customer_code(0), 0] = totals.get((customer_code(0), 0), 0) + 1
    assert differences(SMALL, expected, totals, expected.changes)
