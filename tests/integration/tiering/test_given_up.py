"""A row that our own code cannot take stops neither the telling of revenue nor a close: it alone is given up (TIE-2, TIE-9)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from services.tiering.adapters.ledger_store import PostgresLedger
from services.tiering.adapters.revenue_store import PostgresRevenue
from services.tiering.entrypoints import closing, revenue
from services.tiering.entrypoints.closing import advance
from services.tiering.entrypoints.revenue import tell_again, tell_once
from services.tiering.handlers.tell_revenue import TellRevenue, YearRevenue
from shared.messaging import faults
from tests.integration.tiering.conftest import MakeBench
from tests.support import compare, generated
from tests.support.ledger_bench import LedgerBench
from tests.support.streams import ClosePeriod

pytestmark = pytest.mark.engines


async def items(bench: LedgerBench, task: str) -> list[str]:
    async with bench.engine.connect() as connection:
        return sorted(await faults.given_up(connection, task))


async def booked(make_bench: MakeBench) -> tuple[LedgerBench, Any]:
    """A bench with everything booked and nothing told or closed."""
    scenario = generated.build(seed=5, size=800)
    bench = await make_bench(scenario.start, batch=200)
    await bench.timers.start(bench.unit_of_work)
    for phase in scenario.phases:
        await bench.phase(phase)
    return bench, scenario


class Failing(PostgresRevenue):
    """Fails on one account's year and on one booking, as on a value that nobody has thought of."""

    year: tuple[int, int] | None = None
    booking: int | None = None

    async def _totals(self, due: Any) -> list[YearRevenue]:
        if self.year in due:
            raise ValueError("a fault of ours")
        return await super()._totals(due)

    async def gather(self, upto: int | None = None) -> int:
        db = await self._work.raw()
        told, head = await db.fetchrow("SELECT t.seq, h.seq FROM revenue_teller t, ledger_head h")
        last = head if upto is None else upto
        if self.booking is not None and told < self.booking <= last:
            raise ValueError("a fault of ours")
        return await super().gather(upto)

    async def note(self, seq: int) -> None:
        if seq == self.booking:
            raise ValueError("a fault of ours")
        await super().note(seq)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def fail(year: tuple[int, int] | None, booking: int | None) -> None:
        monkeypatch.setattr(Failing, "year", year)
        monkeypatch.setattr(Failing, "booking", booking)

    return fail


async def tell_all(bench: LedgerBench, handler: TellRevenue) -> None:
    while await tell_once(bench.unit_of_work, handler):
        pass


@pytest.mark.req("TIE-2")
async def test_a_year_and_a_booking_that_cannot_be_told_are_given_up_and_all_others_are_told(
    make_bench: MakeBench, failing: Callable[..., None]
) -> None:
    bench, scenario = await booked(make_bench)
    handler = TellRevenue(Failing)
    account, year = (
        await bench.rows("SELECT account, extract(year FROM business_date)::int FROM ledger WHERE seq = 40")
    )[0]
    failing((account, year), 60)
    await tell_all(bench, handler)
    assert await items(bench, revenue.TASK) == ["booking 60", f"year {account} {year}"]
    (row,) = await bench.rows("SELECT t.seq = h.seq AS done FROM revenue_teller t, ledger_head h")
    assert row.done
    assert await bench.rows("SELECT 1 FROM revenue_due") == []
    (code,) = [row.code for row in await bench.rows(f"SELECT code FROM accounts WHERE number = {account}")]
    told = await bench.revenue_states()
    assert f"{code}|{year}" not in told
    # A new version can do it, and nothing is missing, nor added up twice where two processes try it.
    failing(None, None)
    given_up = await items(bench, revenue.TASK)
    await tell_again(bench.unit_of_work, handler, given_up)
    await tell_again(bench.unit_of_work, handler, given_up)
    await tell_all(bench, handler)
    assert await items(bench, revenue.TASK) == []
    (sums,) = await bench.rows(
        "SELECT (SELECT sum(bookings) FROM evidence_totals WHERE kind = 0) AS told, (SELECT count(*) FROM ledger) AS booked"
    )
    assert sums.told == sums.booked
    states = await bench.revenue_states()
    compare.assert_none(compare.revenue([found[-1] for found in states.values()], scenario.expected()))


@pytest.mark.req("TIE-9")
async def test_an_account_whose_close_fails_is_given_up_and_the_year_closes_without_it(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = generated.build(seed=5, size=800)
    bench = await make_bench(scenario.start, batch=200)
    await bench.timers.start(bench.unit_of_work)
    closes = [one for one in scenario.phases if isinstance(one, ClosePeriod) and one.exit_code == 0]
    for phase in scenario.phases:
        if phase is closes[0]:
            break
        await bench.phase(phase)
    year = closes[0].year
    async with bench.unit_of_work.begin() as work:
        await bench.closes.request(work, year, "operator")
    await advance(bench.unit_of_work, bench.closes)
    behind = f"SELECT DISTINCT account FROM standings WHERE tier > 0 AND closed_through < {year} ORDER BY 1"
    holders = [row.account for row in await bench.rows(behind)]
    assert len(holders) > 2
    bad = holders[1]
    real = PostgresLedger.accounts

    async def failing(self: PostgresLedger, numbers: Collection[int]) -> Any:
        if bad in numbers:
            raise ValueError("a fault of ours")
        return await real(self, numbers)

    monkeypatch.setattr(PostgresLedger, "accounts", failing)
    for _ in range(10):
        await advance(bench.unit_of_work, bench.closes)
    assert [row.state for row in await bench.rows(f"SELECT state FROM closes WHERE year = {year}")] == [
        "done"
    ]
    assert [row.account for row in await bench.rows(behind)] == [bad]
    assert await items(bench, closing.TASK) == [str(bad)]
    monkeypatch.setattr(PostgresLedger, "accounts", real)
    await faults.isolate(bench.unit_of_work, closing.TASK, [bad], bench.closes.settle)
    assert await bench.rows(behind) == []
    assert await items(bench, closing.TASK) == []
