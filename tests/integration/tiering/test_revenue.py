"""Revenue as it is told equals the ledger, however often and in however small pieces it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.clock import SHANGHAI
from shared.contracts.counter_v1 import Transaction
from shared.contracts.tiering_v1 import EVIDENCE_MAX
from tests.integration.tiering.conftest import MakeBench
from tests.support import compare, generated
from tests.support.ledger_bench import LedgerBench
from tests.support.model import Customer
from tests.support.streams import Dice

pytestmark = pytest.mark.engines


@pytest.mark.req("TIE-2")
async def test_the_latest_states_are_the_ledgers_totals(make_bench: MakeBench) -> None:
    scenario = generated.build(seed=5, size=800)
    bench = await make_bench(scenario.start, batch=97)
    dice = Dice(5)
    await bench.timers.start(bench.unit_of_work)
    for phase in scenario.phases:
        await bench.phase(phase)
        if dice.roll(3) == 0:
            await bench.tell_revenue(limit=1 + dice.roll(40))
    await bench.tell_revenue()
    told = await bench.revenue_states()
    assert any(len(states) > 1 for states in told.values())
    for states in told.values():
        versions = [state.version for state in states]
        assert versions == sorted(set(versions)), "the version rises with every state of a key"
    compare.assert_none(compare.revenue([states[-1] for states in told.values()], scenario.expected()))
    assert await bench.tell_revenue() == 0


START = datetime(2026, 3, 10, 9, tzinfo=SHANGHAI)
ONE, OTHER = "3205000000011", "3205000000029"


def sale(day: date, fen: int, **evidence: Any) -> Transaction:
    blank = dict.fromkeys(
        ("manager_id", "clerk_id", "payer_uscc", "payer_name_hash", "product", "destination")
    )
    said: dict[str, Any] = {
        "customer_code": ONE, "counter_id": "C1", "line": "express", "kind": "sale", "amount_fen": fen,
        "occurred_at": START.astimezone(UTC), "business_date": day, "settlement": "cash", "pieces": None,
        "reverses": None, **blank, **evidence,
    }  # fmt: skip
    return Transaction(**said)


async def publish(bench: LedgerBench, *transactions: Transaction, first: int = 0) -> None:
    made = [one.outgoing(id=f"e-{first + at}", source="/counters/1") for at, one in enumerate(transactions)]
    await bench.publish([(one.key, one.value, one.headers) for one in made])


@pytest.mark.req("TIE-1", "TIE-14")
async def test_evidence_is_kept_with_the_booking_and_told_by_customer_and_year(make_bench: MakeBench) -> None:
    bench = await make_bench(START)
    await bench.tell([Customer(ONE), Customer(OTHER)])
    everything = {
        "manager_id": "m-1", "clerk_id": "k-1", "payer_uscc": "91320500MA1", "payer_name_hash": "h-1",
        "product": "国际特快", "destination": "US",
    }  # fmt: skip
    await publish(
        bench,
        sale(date(2026, 1, 5), 1000, **everything),
        sale(date(2026, 2, 5), 500, payer_uscc="91320500MA2", counter_id="C2"),
        sale(date(2026, 3, 5), 300, kind="reversal", **everything),
        sale(date(2025, 3, 5), 70, counter_id="C9"),
        sale(date(2026, 3, 6), 20, customer_code=OTHER, destination="US"),
    )
    columns = ", ".join(everything)
    (first, *_) = await bench.rows(f"SELECT {columns} FROM ledger ORDER BY seq")
    assert dict(zip(everything, first, strict=True)) == everything
    await bench.tell_revenue()
    # What comes later is added to what was told; a second telling counts nothing twice.
    await publish(bench, sale(date(2026, 1, 2), 1, payer_uscc="91320500MA2", counter_id="C2"), first=9)
    await bench.tell_revenue()
    assert await latest(bench, f"{ONE}|2026") == [
        ("counter_id", "C1", 700, 2, date(2026, 1, 5), date(2026, 3, 5)),
        ("counter_id", "C2", 501, 2, date(2026, 1, 2), date(2026, 2, 5)),
        ("payer_uscc", "91320500MA1", 700, 2, date(2026, 1, 5), date(2026, 3, 5)),
        ("payer_uscc", "91320500MA2", 501, 2, date(2026, 1, 2), date(2026, 2, 5)),
        ("payer_name_hash", "h-1", 700, 2, date(2026, 1, 5), date(2026, 3, 5)),
        ("product", "国际特快", 700, 2, date(2026, 1, 5), date(2026, 3, 5)),
        ("destination", "US", 700, 2, date(2026, 1, 5), date(2026, 3, 5)),
    ]
    assert await latest(bench, f"{ONE}|2025") == [
        ("counter_id", "C9", 70, 1, date(2025, 3, 5), date(2025, 3, 5))
    ]
    merged = replace(Customer(OTHER), status="merged", merged_into=ONE)
    await bench.tell([merged, Customer(ONE, aliases=(OTHER,))])
    await bench.tell_revenue()
    assert await latest(bench, f"{OTHER}|2026") == []
    whole = await latest(bench, f"{ONE}|2026")
    assert ("destination", "US", 720, 3, date(2026, 1, 5), date(2026, 3, 6)) in whole
    assert ("counter_id", "C1", 720, 3, date(2026, 1, 5), date(2026, 3, 6)) in whole


async def latest(bench: LedgerBench, key: str) -> list[tuple[str, str, int, int, date, date]]:
    state = (await bench.revenue_states())[key][-1]
    return [
        (one.kind, one.value, one.amount_fen, one.transactions, one.first_on, one.last_on)
        for one in state.evidence
    ]


async def test_a_state_tells_the_largest_of_each_kind(make_bench: MakeBench) -> None:
    bench = await make_bench(START)
    await bench.tell([Customer(ONE)])
    day = date(2026, 1, 5)
    await publish(
        bench, *(sale(day, 1 + number, destination=f"D{number:03}") for number in range(EVIDENCE_MAX + 5))
    )
    await bench.tell_revenue()
    told = [value for kind, value, *_ in await latest(bench, f"{ONE}|2026") if kind == "destination"]
    assert told == [f"D{number:03}" for number in range(EVIDENCE_MAX + 4, 4, -1)]
