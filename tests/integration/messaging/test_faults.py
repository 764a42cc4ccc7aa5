"""Background work on a real database: an item that fails by itself is given up, and everything else is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from shared.messaging import faults
from shared.messaging.faults import EverythingFailsError, isolate
from shared.messaging.work import Work
from tests.support.messaging import Bench

pytestmark = pytest.mark.engines


class Numbers:
    """Writes numbers as effects, and fails on some."""

    def __init__(self, bench: Bench, task: str, bad: Sequence[int] = ()) -> None:
        self.bench = bench
        self.task = task
        self.bad = set(bad)
        self.handled = 0
        self.passing: list[Exception] = []

    async def handle(self, work: Work, items: Sequence[int]) -> None:
        self.handled += 1
        if self.passing:
            raise self.passing.pop()
        for item in items:
            await work.connection.execute(
                text("INSERT INTO effects (topic, partition, at) VALUES (:task, 0, :item)"),
                {"task": self.task, "item": item},
            )
            if item in self.bad:
                raise KeyError("a fault of ours")

    async def run(self, items: Sequence[int], **more: Any) -> int:
        return await isolate(self.bench.unit_of_work, self.task, items, self.handle, **more)

    async def done(self) -> list[int]:
        return [at for _, at in await self.bench.effects(self.task)]

    async def given_up(self) -> list[str]:
        async with self.bench.engine.connect() as connection:
            return sorted(await faults.given_up(connection, self.task), key=int)


async def test_an_item_that_fails_is_found_by_halving_and_given_up_alone(bench: Bench) -> None:
    numbers = Numbers(bench, "halving", bad=[37])
    assert await numbers.run(range(64)) == 1
    assert await numbers.done() == [number for number in range(64) if number != 37]
    assert await numbers.given_up() == ["37"]
    # Twice the depth of the halving, and three tries at the item itself.
    assert numbers.handled <= 2 * 6 + 1 + faults.ATTEMPTS
    async with bench.engine.connect() as connection:
        (fault,) = [one for one in await faults.listed(connection) if one.task == "halving"]
        assert (await faults.counts(connection))["halving"] == 1
        assert await faults.due_again(connection, "halving") == []
    assert (fault.item, fault.failures) == ("37", 1)
    assert "KeyError at" in fault.error
    assert "a fault of ours" not in fault.error


async def test_what_goes_through_is_one_transaction(bench: Bench) -> None:
    numbers = Numbers(bench, "quiet")
    assert await numbers.run(range(500)) == 0
    assert numbers.handled == 1
    assert await numbers.run([]) == 0
    assert numbers.handled == 1


async def test_an_item_is_taken_out_of_its_queue_in_the_transaction_that_notes_the_fault(
    bench: Bench,
) -> None:
    numbers = Numbers(bench, "queue", bad=[2])
    aside: list[int] = []

    async def set_aside(work: Work, item: int) -> None:
        work.after_commit(lambda: aside.append(item))

    await numbers.run(range(4), set_aside=set_aside)
    assert aside == [2]


async def test_a_passing_fault_gives_nothing_up(bench: Bench) -> None:
    numbers = Numbers(bench, "passing")
    numbers.passing = [ConnectionResetError()]
    with pytest.raises(ConnectionResetError):
        await numbers.run(range(4))
    assert await numbers.done() == await numbers.given_up() == []


async def test_when_everything_fails_five_are_given_up_and_the_task_pauses(bench: Bench) -> None:
    numbers = Numbers(bench, "everything", bad=range(20))
    with pytest.raises(EverythingFailsError):
        await numbers.run(range(20))
    assert await numbers.given_up() == ["0", "1", "2", "3", "4"]


async def test_a_fault_is_tried_again_at_a_start_and_goes_when_the_item_is_done(bench: Bench) -> None:
    numbers = Numbers(bench, "again", bad=[1])
    await numbers.run([1])
    await faults.retry_all(bench.unit_of_work)
    async with bench.engine.connect() as connection:
        assert await faults.due_again(connection, "again") == ["1"]
    await numbers.run([1])
    async with bench.engine.connect() as connection:
        (fault,) = [one for one in await faults.listed(connection) if one.task == "again"]
        assert await faults.due_again(connection, "again") == []
    assert fault.failures == 2
    numbers.bad.clear()
    await numbers.run([1])
    assert await numbers.given_up() == []
    assert await numbers.done() == [1]


async def test_each_rest_is_twice_the_one_before_up_to_a_quarter_of_a_day(bench: Bench) -> None:
    rests = []
    for _ in range(9):
        async with bench.unit_of_work.begin() as work:
            await faults.give_up(work, "rests", "1", KeyError())
        rows = await bench.rows(
            "SELECT extract(epoch FROM retry_at - failed_at) AS rest FROM faults WHERE task = 'rests'"
        )
        rests.append(round(rows[0].rest))
    assert rests == [600, 1200, 2400, 4800, 9600, 19200, 21600, 21600, 21600]
