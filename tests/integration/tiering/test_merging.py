"""A merge of two customers, as the registry tells it by two records on two partitions (TIE-14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from tests.integration.tiering.conftest import MakeBench
from tests.support.ledger_bench import LedgerBench
from tests.support.model import SHANGHAI, Agreement, CounterCode, Customer, Transaction
from tests.support.streams import Dice, write

pytestmark = pytest.mark.engines

START = datetime(2026, 5, 10, 9, tzinfo=SHANGHAI)
A, B, C = "3205000000001", "3205000000002", "3205000000003"
AGREED = Agreement("HT-1", date(2026, 1, 5))
CITY = "city-default"


def sale(id: str, yuan: int, code: str, on: date = date(2026, 3, 9), **more: object) -> Transaction:
    fields: dict[str, object] = {
        "source": "/counters/1",
        "id": id,
        "customer_code": code,
        "line": "express",
        "fen": yuan * 100,
        "occurred_at": datetime(on.year, on.month, on.day, 10, tzinfo=SHANGHAI),
        "business_date": on,
    }
    return Transaction(**(fields | more))  # type: ignore[arg-type]


async def sell(bench: LedgerBench, *sales: Transaction) -> None:
    dice = Dice(1)
    records = [write(one, one.customer_code.encode(), dice) for one in sales]
    await bench.publish([(one.key, one.value, one.headers) for one in records])


def merged(survivor: Customer, alias: Customer, *earlier: str, alias_first: bool = False) -> list[Customer]:
    """Both states after the merge."""
    stays = replace(
        survivor,
        agreements=(*survivor.agreements, *alias.agreements),
        counter_codes=(*survivor.counter_codes, *alias.counter_codes),
        aliases=(*survivor.aliases, alias.code, *earlier),
    )
    gone = replace(alias, status="merged", merged_into=survivor.code, agreements=(), counter_codes=())
    return [gone, stays] if alias_first else [stays, gone]


async def moves(bench: LedgerBench, code: str, scheme: str = CITY) -> list[tuple[object, ...]]:
    names = ("from_tier", "to_tier", "reason", "direction", "effective_on", "period", "total")
    return [
        tuple(change[name] for name in names) for change in (await bench.changes()).get((code, scheme), [])
    ]


@pytest.mark.req("TIE-14")
@pytest.mark.parametrize("alias_first", [False, True])
@pytest.mark.parametrize("batch", [1, 500])
async def test_whichever_state_comes_first_the_outcome_is_one(
    make_bench: MakeBench, alias_first: bool, batch: int
) -> None:
    bench = await make_bench(START, batch=batch)
    survivor, alias = Customer(B), Customer(A, agreements=(AGREED,))
    await bench.tell([survivor, alias])
    await sell(bench, sale("1", 30_000, A), sale("2", 20_000, B))
    assert await moves(bench, A) == [
        ("none", "ordinary", "threshold_reached", "promotion", "2026-03-09", "2026", "30000.00")
    ]
    await bench.tell(merged(survivor, alias, alias_first=alias_first))
    assert (await moves(bench, A))[1:] == [
        ("ordinary", "none", "merged", "correction", "2026-05-10", "2026", "0.00")
    ]
    # The alias's agreement covers both from now on.
    assert await moves(bench, B) == [
        ("none", "silver", "merged", "correction", "2026-05-10", "2026", "50000.00")
    ]
    await sell(bench, sale("3", 150_000, A, date(2026, 5, 9)))
    assert (await moves(bench, B))[1:] == [
        ("silver", "gold", "threshold_reached", "promotion", "2026-05-10", "2026", "200000.00")
    ]
    rows = await bench.rows(
        "SELECT l.id, l.customer_code, a.code FROM ledger l JOIN accounts a ON a.number = l.account ORDER BY l.seq"
    )
    assert [tuple(row) for row in rows] == [("1", A, A), ("2", B, B), ("3", A, B)]
    assert await bench.month_totals() == {
        (B, "express", 202603): (5_000_000, 0, 2),
        (B, "express", 202605): (15_000_000, 0, 1),
    }
    await bench.tell_revenue()
    told = {key: states[-1] for key, states in (await bench.revenue_states()).items()}
    assert (told[f"{A}|2026"].months, told[f"{A}|2026"].merged_into) == ((), B)
    assert sum(cell.amount_fen for cell in told[f"{B}|2026"].months) == 20_000_000


@pytest.mark.req("TIE-14", "TIE-4", "TIE-5")
@pytest.mark.parametrize("alias_first", [False, True])
async def test_codes_reversals_and_what_was_held_go_to_the_survivor(
    make_bench: MakeBench, alias_first: bool
) -> None:
    bench = await make_bench(START)
    survivor = Customer(B)
    alias = Customer(A, agreements=(AGREED,), counter_codes=(CounterCode("K-7"),))
    await bench.tell([survivor, alias])
    await sell(
        bench,
        sale("1", 900, "K-7"),
        sale("2", 100, A),
        # Of another customer as long as the two are two.
        sale("r1", 40, B, kind="reversal", reverses="1"),
    )
    assert await bench.held() == [("/counters/1", "r1", "reversal_mismatch")]
    await bench.tell(merged(survivor, alias, alias_first=alias_first))
    assert await bench.held() == []
    await sell(bench, sale("r2", 60, A, kind="reversal", reverses="2"), sale("3", 5, "K-7"))
    await sell(bench, sale("r3", 41, B, kind="reversal", reverses="2"))
    assert await bench.held() == [("/counters/1", "r3", "over_reversal")]
    assert (await bench.month_totals())[B, "express", 202603] == ((900 + 100 - 40 - 60 + 5) * 100, 0, 5)


@pytest.mark.req("TIE-14")
@pytest.mark.parametrize("alias_first", [False, True])
async def test_a_chain_of_merges_with_a_close_between_ends_in_one_customer(
    make_bench: MakeBench, alias_first: bool
) -> None:
    bench = await make_bench(START)
    a, b, c = (Customer(code, agreements=(replace(AGREED, number=code),)) for code in (A, B, C))
    await bench.tell([a, b, c])
    last_year = date(2025, 12, 1)
    await sell(bench, sale("1", 12_000, A, last_year), sale("2", 13_000, B, last_year), sale("3", 5, C))
    first = merged(b, a, alias_first=alias_first)
    await bench.tell(first)
    assert not await bench.close(2025)
    await bench.tell(merged(c, next(one for one in first if one.code == B), A, alias_first=alias_first))
    await sell(bench, sale("4", 25_000, A, last_year))
    assert (await moves(bench, C))[:2] == [
        ("none", "ordinary", "merged", "correction", "2026-05-10", "2025", "25000.00"),
        ("ordinary", "silver", "late_revenue", "promotion", "2026-05-10", "2025", "50000.00"),
    ]
    assert {row.code: row.into for row in await bench.rows(
        "SELECT a.code, s.code AS into FROM accounts a LEFT JOIN accounts s ON s.number = a.merged_into"
    )} == {A: B, B: C, C: None}  # fmt: skip
    assert (await bench.at_close())[C, "express", 2025] == 2_500_000


@pytest.mark.req("TIE-14")
async def test_states_of_the_alias_that_come_late_do_not_bring_it_back(make_bench: MakeBench) -> None:
    bench = await make_bench(START)
    survivor = Customer(B, agreements=(AGREED,))
    early = Customer(A, counter_codes=(CounterCode("K-7"),))
    stays, gone = merged(survivor, early)
    await sell(bench, sale("1", 700, A), sale("2", 300, "K-7"))
    # The survivor's partition is ahead: nothing is known of the alias yet, whose transactions are held.
    await bench.tell([survivor, stays])
    assert await bench.held() == []
    await bench.tell([early, replace(early, city_group=2), gone])
    await sell(bench, sale("3", 9_000, A), sale("4", 1, "K-7"))
    assert await moves(bench, A) == []
    assert [one[-1] for one in await moves(bench, B)] == ["10000.00"]
    rows = await bench.rows("SELECT count(*) AS n FROM ledger WHERE account <> (SELECT number FROM accounts "
                            f"WHERE code = '{B}')")  # fmt: skip
    assert [row.n for row in rows] == [0]


@pytest.mark.req("TIE-14")
async def test_states_of_the_survivor_that_come_late_do_not_lose_what_the_alias_brought(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(START)
    alias = Customer(A, agreements=(AGREED,), counter_codes=(CounterCode("K-7"),))
    early = Customer(B)
    stays, gone = merged(early, alias)
    await bench.tell([alias])
    await sell(bench, sale("1", 12_000, A))
    # The alias's partition is ahead: its survivor is not known yet.
    await bench.tell([gone])
    await sell(bench, sale("2", 38_000, "K-7"))
    await bench.tell([early])
    await sell(bench, sale("3", 150_000, "K-7"))
    await bench.tell([stays])
    assert [one[:3] for one in await moves(bench, B)] == [
        ("none", "ordinary", "merged"),
        ("ordinary", "silver", "threshold_reached"),
        ("silver", "gold", "threshold_reached"),
    ]
    assert (await bench.standings())[B, CITY] == ("gold", True)


@pytest.mark.req("TIE-5")
async def test_a_code_whose_dates_were_remembered_is_looked_up_again_when_they_change(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(START)
    until = CounterCode("K-7", None, date(2026, 3, 31))
    await bench.tell([Customer(A, counter_codes=(until,))])
    await sell(bench, sale("1", 1, "K-7"), sale("2", 2, "K-7", date(2026, 4, 1)))
    assert await bench.held() == [("/counters/1", "2", "unknown_code")]
    await bench.tell([Customer(A, counter_codes=(replace(until, valid_to=None),))])
    assert await bench.held() == []
    await bench.tell([Customer(A)])
    await sell(bench, sale("3", 3, "K-7"))
    assert await bench.held() == [("/counters/1", "3", "unknown_code")]
