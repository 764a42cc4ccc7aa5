"""How a batch is taken apart, on transactions that only remember what was done in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.messaging.batches import BatchProcessor, StalledError, StoppedError
from shared.messaging.failures import SupersededError
from shared.messaging.positions import Place
from shared.messaging.records import Record
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import DeadLetter, Work
from tests.support.waiting import until

PLACE = Place("t", 0)


class Memory:
    """Stands for the database: one position, and the values of the records whose transaction committed."""

    def __init__(self) -> None:
        self.position = 0
        self.stored: list[bytes | None] = []
        self.dead: list[bytes | None] = []
        self.letters: list[DeadLetter] = []
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.losses = 0
        self._pending: int | None = None

    async def execute(self, _statement: Any, values: dict[str, Any]) -> Any:
        matches = values["expected"] == [self.position]
        self._pending = values["following"][0]
        return SimpleNamespace(rowcount=int(matches))

    @asynccontextmanager
    async def begin(self, *, consumer: str) -> AsyncIterator[Work]:
        work = Work(cast(Any, self), datetime(2026, 1, 1, tzinfo=UTC), "tiering", consumer)
        yield work
        if self.losses:
            self.losses -= 1
            raise ConnectionResetError
        assert self._pending is not None
        self.position = self._pending
        self.letters += work.dead_letters
        self.dead += [letter.record.value for letter in work.dead_letters]
        for callback in work.callbacks:
            callback()

    @asynccontextmanager
    async def rehearse(self, *, consumer: str) -> AsyncIterator[Work]:
        yield Work(cast(Any, self), datetime(2026, 1, 1, tzinfo=UTC), "tiering", consumer)


class Handler:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.bad: set[bytes] = set()
        self.handled = 0
        self.discarded = 0

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        self.handled += 1
        if any(record.value in self.bad for record in records):
            raise KeyError("a fault of ours")
        values = [record.value for record in records]
        work.after_commit(lambda: self.memory.stored.extend(values))

    def discard(self) -> None:
        self.discarded += 1


class Setting:
    def __init__(self) -> None:
        self.memory = Memory()
        self.handler = Handler(self.memory)
        self.stopping = asyncio.Event()
        self.expected = {PLACE: 0}
        unit_of_work = cast(UnitOfWork, self.memory)
        self.processor = BatchProcessor("c", self.handler, unit_of_work, self.stopping)

    async def process(self, *values: bytes) -> None:
        start = self.expected[PLACE]
        records = [Record("t", 0, start + n, None, value, (), 0) for n, value in enumerate(values)]
        await self.processor.process(records, self.expected)


@pytest.fixture
async def setting() -> Setting:
    return Setting()


@pytest.mark.parametrize("bad", [0, 1, 31, 63])
async def test_one_bad_record_among_many_is_found_by_halving(setting: Setting, bad: int) -> None:
    values = [b"%d" % number for number in range(64)]
    setting.handler.bad = {values[bad]}
    await setting.process(*values)
    assert setting.memory.dead == [values[bad]]
    assert setting.memory.stored == values[:bad] + values[bad + 1 :]
    assert setting.memory.position == setting.expected[PLACE] == 64
    # Twice the depth of the halving, three attempts at the record itself, one rehearsal.
    assert setting.handler.handled <= 2 * 6 + 1 + 3 + 1


async def test_what_is_too_large_is_given_up_and_no_handler_sees_it(setting: Setting) -> None:
    setting.handler.bad = {b"large"}
    good, large = (
        Record("t", 0, 0, None, b"good", (), 0),
        Record("t", 0, 1, None, b"large", (), 0, "too large"),
    )
    await setting.processor.process([good, large], setting.expected)
    assert (setting.memory.stored, setting.memory.dead) == ([b"good"], [b"large"])
    assert setting.handler.handled == 1
    # Such records alone prove nothing about others: a fault is judged by what the handler sees.
    await setting.processor.process([large._replace(offset=2)], setting.expected)
    assert setting.handler.handled == 1
    assert setting.memory.position == 3


async def test_a_passing_fault_is_waited_out_with_the_same_batch(setting: Setting) -> None:
    setting.memory.losses = 3
    await setting.process(b"a", b"b")
    assert setting.memory.stored == [b"a", b"b"]
    assert setting.handler.discarded == 3
    assert setting.memory.dead == []
    assert setting.processor.waiting_for is None


async def test_a_stop_ends_the_waiting(setting: Setting) -> None:
    setting.memory.losses = 1_000_000
    task = asyncio.create_task(setting.process(b"a"))
    await until(lambda: setting.processor.waiting_for)
    setting.stopping.set()
    with pytest.raises(StoppedError):
        await task
    assert setting.memory.stored == []


async def test_when_every_record_fails_none_is_given_up(setting: Setting) -> None:
    values = [b"%d" % number for number in range(20)]
    setting.handler.bad = set(values)
    with pytest.raises(StalledError):
        await setting.process(*values)
    assert setting.memory.dead == []
    setting.handler.bad = set()
    await setting.process(*values)
    assert setting.memory.stored == values


async def test_single_records_that_fail_one_after_the_other_stop_at_the_fifth(setting: Setting) -> None:
    setting.handler.bad = {b"bad"}
    for _ in range(4):
        await setting.process(b"bad")
    with pytest.raises(StalledError):
        await setting.process(b"bad")
    assert setting.memory.dead == [b"bad"] * 4
    # One that succeeds shows that the fault is not of everything.
    await setting.process(b"bad", b"good")
    assert setting.memory.dead == [b"bad"] * 5
    assert setting.memory.stored == [b"good"]


async def test_a_moved_position_drops_the_batch_before_the_handler_sees_it(setting: Setting) -> None:
    setting.memory.position = 9
    with pytest.raises(SupersededError):
        await setting.process(b"a")
    assert setting.handler.handled == 0
    assert setting.handler.discarded == 1
