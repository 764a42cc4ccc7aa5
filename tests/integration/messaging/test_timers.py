"""Timers on a real database: once each, in due order, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared import failpoints
from shared.clock import SandboxClock
from shared.messaging import faults, timers
from shared.messaging.timers import Timer, TimerLoop
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from tests.support.messaging import Bench
from tests.support.waiting import until

pytestmark = pytest.mark.engines
START = datetime(2026, 1, 1, tzinfo=UTC)


class Fired:
    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.bad: set[str] = set()

    async def __call__(self, work: Work, timer: Timer) -> None:
        if timer.subject in self.bad:
            raise ValueError("a fault of ours")
        work.after_commit(lambda: self.subjects.append(timer.subject))


@asynccontextmanager
async def firing(unit_of_work: UnitOfWork, fired: Fired, kind: str, loops: int = 1) -> AsyncIterator[None]:
    running = [TimerLoop(unit_of_work, {kind: fired}, poll_seconds=0.05) for _ in range(loops)]
    tasks = [asyncio.create_task(loop.run()) for loop in running]
    try:
        yield
    finally:
        for loop in running:
            loop.stop()
        await asyncio.gather(*tasks)


async def test_due_timers_fire_once_and_in_due_order_when_the_clock_jumps(
    bench: Bench, tmp_path: Path
) -> None:
    clock = SandboxClock.create(tmp_path / "clock", START)
    unit_of_work = UnitOfWork(bench.engine, clock, bench.service)
    fired = Fired()
    async with unit_of_work.begin() as work:
        for hours in (30, 3, 9, 1, 40):
            await timers.schedule(
                work, "order", f"{hours:02}", START + timedelta(hours=hours), {"hours": hours}
            )
            await timers.schedule(work, "order", f"{hours:02}", START + timedelta(hours=hours))
    async with firing(unit_of_work, fired, "order", loops=2):
        clock.advance_to(START + timedelta(hours=30))
        await until(lambda: len(fired.subjects) == 4)
        async with bench.engine.connect() as connection:
            assert await timers.due(connection, clock.now()) == (0, START + timedelta(hours=40))
        async with unit_of_work.begin() as work:
            assert await timers.cancel(work, "order", "40") == 1
        clock.advance_to(START + timedelta(hours=50))
        async with unit_of_work.begin() as work:
            await timers.schedule(work, "order", "50", START + timedelta(hours=50))
        await until(lambda: len(fired.subjects) == 5)
    assert fired.subjects == ["01", "03", "09", "30", "50"]
    clock.close()


async def test_a_timer_fires_once_although_the_answer_to_its_commit_is_lost(
    bench: Bench, tmp_path: Path
) -> None:
    clock = SandboxClock.create(tmp_path / "clock", START)
    unit_of_work = UnitOfWork(bench.engine, clock, bench.service)
    calls: list[str] = []

    async def note(work: Work, timer: Timer) -> None:
        calls.append(timer.subject)

    async with unit_of_work.begin() as work:
        for number in range(3):
            await timers.schedule(work, "lost", str(number), START)
    failpoints.arm("after_commit=error@1")
    loop = TimerLoop(unit_of_work, {"lost": note}, poll_seconds=0.05)
    task = asyncio.create_task(loop.run())

    async def done() -> bool:
        left = await bench.rows("SELECT 1 FROM timers WHERE kind = 'lost' AND fired_at IS NULL")
        return not left

    await until(done)
    await until(lambda: loop.healthy() is None)
    loop.stop()
    await task
    assert calls == ["0", "1", "2"]
    clock.close()


async def test_a_failing_timer_holds_up_its_own_subject_and_no_other(bench: Bench, tmp_path: Path) -> None:
    clock = SandboxClock.create(tmp_path / "clock", START + timedelta(hours=9))
    unit_of_work = UnitOfWork(bench.engine, clock, bench.service)
    fired = Fired()
    fired.bad = {"bad"}
    async with unit_of_work.begin() as work:
        await timers.schedule(work, "hold", "bad", START)
        await timers.schedule(work, "hold", "good", START + timedelta(hours=1))
        await timers.schedule(work, "hold", "bad", START + timedelta(hours=2))
    async with firing(unit_of_work, fired, "hold"):
        await until(lambda: fired.subjects == ["good"])
        fired.bad = set()
        await until(lambda: len(fired.subjects) == 3)
    assert fired.subjects == ["good", "bad", "bad"]
    clock.close()


async def test_a_timer_that_fails_for_ever_is_given_up_and_stops_no_later_one(
    bench: Bench, tmp_path: Path
) -> None:
    clock = SandboxClock.create(tmp_path / "clock", START + timedelta(hours=9))
    unit_of_work = UnitOfWork(bench.engine, clock, bench.service)
    failing, fired = Fired(), Fired()
    failing.bad = {"stuck"}
    async with unit_of_work.begin() as work:
        await timers.schedule(work, "failing", "stuck", START)
        await timers.schedule(work, "later", "stuck", START + timedelta(hours=2))
    loop = TimerLoop(unit_of_work, {"failing": failing, "later": fired}, poll_seconds=0.05)
    task = asyncio.create_task(loop.run())
    await until(lambda: fired.subjects == ["stuck"])
    await until(lambda: loop.healthy() is None)
    async with bench.engine.connect() as connection:
        # Nobody waits for it, and nobody overlooks it.
        assert await timers.due(connection, clock.now()) == (0, None)
        (fault,) = [one for one in await faults.listed(connection) if one.task == "timers"]
    assert fault.item.startswith("failing|stuck|")
    # A new version can do it.
    failing.bad = set()
    await faults.retry_all(unit_of_work)
    await until(lambda: failing.subjects == ["stuck"])
    async with bench.engine.connect() as connection:
        assert await faults.given_up(connection, "timers") == []
    loop.stop()
    await task
    clock.close()


async def test_a_timer_that_is_cancelled_is_no_fault_any_more(bench: Bench) -> None:
    async with bench.unit_of_work.begin() as work:
        await timers.schedule(work, "cancelled", "one", START)
    (row,) = await bench.rows("SELECT id FROM timers WHERE kind = 'cancelled'")
    async with bench.unit_of_work.begin() as work:
        await faults.give_up(work, timers.TASK, f"cancelled|one|{row.id}", KeyError())
        assert await timers.cancel(work, "cancelled", "one") == 1
    async with bench.engine.connect() as connection:
        assert await faults.given_up(connection, timers.TASK) == []
