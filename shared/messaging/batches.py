"""Handling a batch so that its effects happen once: one transaction with the positions, failures decided in one place.

Nothing here knows Kafka: records come in, positions move in the database, and the caller learns what happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from shared.clock import monotonic
from shared.failpoints import failpoint
from shared.messaging import positions
from shared.messaging.failures import Backoff, Kind, SupersededError, classify, describe
from shared.messaging.metrics import BATCH_RECORDS, BATCH_SECONDS, FAILURES, RECORDS, STALLED
from shared.messaging.positions import Place
from shared.messaging.records import Record
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
"""How often a single record is tried before it is given up."""
IN_A_ROW: Final = 5
"""So many records failing without one success between are a fault that hits every record."""
SPREAD: Final = 8
"""How many further records of the batch are rehearsed to tell a few bad ones from a fault of everything."""


class BatchHandler(Protocol):
    """What a service gives to a consumer."""

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        """Apply the records, in order within each partition, in the transaction of `work`."""

    def discard(self) -> None:
        """The transaction of the last `handle` did not commit, or partitions have moved: drop every state in memory
        that was derived from records."""


class StoppedError(Exception):
    """The consumer is being stopped; what was in hand is not handled and will be read again."""


class StalledError(Exception):
    """Record after record fails: nothing is given up, the partitions wait. Read again after a pause."""


class BatchProcessor:
    """Takes batches of one consumer through their transactions."""

    def __init__(
        self, consumer: str, handler: BatchHandler, unit_of_work: UnitOfWork, stopping: asyncio.Event
    ) -> None:
        self._consumer = consumer
        self._handler = handler
        self._unit_of_work = unit_of_work
        self._stopping = stopping
        self._failed_in_a_row = 0
        self.waiting_for: str | None = None
        """The passing fault that is being waited out, if any."""

    async def process(self, records: Sequence[Record], expected: dict[Place, int]) -> None:
        """Handle all the records; `expected` is advanced as transactions commit.

        Raises `SupersededError` where the stored positions are not the expected ones, `StalledError` and
        `StoppedError` as they say. In each case the caller starts over from what is stored.
        """
        # Halves are pushed in reverse, so that records of a partition are always handled in their order.
        todo: list[Sequence[Record]] = [records]
        while todo:
            part = todo.pop()
            failure = await self._settle(part, expected)
            if failure is None:
                continue
            if len(part) > 1:
                middle = len(part) // 2
                todo += (part[middle:], part[:middle])
                continue
            await self._give_up(
                part[0], failure, [record for rest in reversed(todo) for record in rest], expected
            )

    async def _settle(self, part: Sequence[Record], expected: dict[Place, int]) -> Exception | None:
        """Handle one part until it has committed (None) or has shown a fault of ours (that fault). A single record is
        tried three times before it counts as faulty."""
        backoff = Backoff()
        attempts = 0
        while True:
            if self._stopping.is_set():
                raise StoppedError
            try:
                await self._commit(part, expected)
            except SupersededError:
                self._handler.discard()
                raise
            except Exception as error:
                self._handler.discard()
                kind = classify(error)
                FAILURES.labels(self._consumer, kind.value).inc()
                if kind is Kind.TRANSIENT:
                    await self._wait(error, backoff)
                    continue
                self.waiting_for = None
                attempts += 1
                if len(part) > 1 or attempts >= ATTEMPTS:
                    return error
                await self._pause(0.02)
            else:
                self.waiting_for = None
                self._failed_in_a_row = 0
                return None

    async def _commit(self, part: Sequence[Record], expected: dict[Place, int]) -> None:
        started = monotonic()
        moves = positions.moves_of(part, expected)
        await failpoint("after_fetch")
        async with self._unit_of_work.begin(consumer=self._consumer) as work:
            # First of all: whoever is not the owner of these positions must find out before any effect.
            await positions.advance(work.connection, self._consumer, moves)
            await self._handle(work, part)
        for move in moves:
            expected[move.place] = move.following
        BATCH_RECORDS.labels(self._consumer).observe(len(part))
        BATCH_SECONDS.labels(self._consumer).observe(monotonic() - started)
        RECORDS.labels(self._consumer).inc(len(part))

    async def _handle(self, work: Work, part: Sequence[Record]) -> None:
        """What is too large goes to the dead letters before anything looks into it."""
        readable = [record for record in part if record.oversized is None]
        if len(readable) < len(part):
            for record in part:
                if record.oversized is not None:
                    work.dead_letter(record, "oversized", record.oversized)
        if readable:
            await self._handler.handle(work, readable)

    async def _give_up(
        self, record: Record, failure: Exception, following: Sequence[Record], expected: dict[Place, int]
    ) -> None:
        """Dead-letter a record that fails by itself, unless everything fails."""
        rehearsed_failures = await self._everything_fails(following)
        if rehearsed_failures is None:
            self._failed_in_a_row = 0
        elif self._failed_in_a_row + 1 + rehearsed_failures >= IN_A_ROW:
            STALLED.labels(self._consumer).set(1)
            log.error(
                "every record fails: the consumer waits and gives nothing up",
                consumer=self._consumer,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=describe(failure),
            )
            raise StalledError(describe(failure))
        move = positions.moves_of([record], expected)
        async with self._unit_of_work.begin(consumer=self._consumer) as work:
            await positions.advance(work.connection, self._consumer, move)
            work.dead_letter(record, "internal_error", describe(failure))
        expected[move[0].place] = move[0].following
        self._failed_in_a_row += 1
        STALLED.labels(self._consumer).set(0)
        log.error(
            "a record makes our own code fail and became a dead letter",
            consumer=self._consumer,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=describe(failure),
        )

    async def _everything_fails(self, following: Sequence[Record]) -> int | None:
        """Rehearse others, always rolled back: None as soon as one succeeds, else how many failed.

        The next few records come first, then a spread over the rest, so that a run of bad records from one sender is
        not taken for a fault of everything.
        """
        step = max(1, len(following) // SPREAD)
        sample = [
            record
            for record in (*following[: IN_A_ROW - 1], *following[IN_A_ROW - 1 :: step][:SPREAD])
            if record.oversized is None
        ]
        for record in sample:
            try:
                async with self._unit_of_work.rehearse(consumer=self._consumer) as work:
                    await self._handler.handle(work, [record])
                return None
            except Exception as error:
                if classify(error) is Kind.TRANSIENT:
                    raise
            finally:
                self._handler.discard()
        return len(sample)

    async def _wait(self, error: Exception, backoff: Backoff) -> None:
        if self.waiting_for is None:
            log.warning("waiting for a passing fault", consumer=self._consumer, error=describe(error))
        self.waiting_for = describe(error)
        await self._pause(backoff.next())

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
