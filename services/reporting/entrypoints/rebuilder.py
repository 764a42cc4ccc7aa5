"""Rebuilds in the background: a pass over all topics into the copy, the comparison, the exchange (ADR 6)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import structlog
from sqlalchemy import text

from services.reporting.adapters import rebuilds
from services.reporting.adapters.reads.rows import Row
from services.reporting.adapters.replay import Replay, replaying
from services.reporting.adapters.shadow import Shadow, ShadowViews
from services.reporting.domain.rebuilding import expired, takes_over, verdict
from services.reporting.handlers.rebuild_views import FillCopy
from shared.contracts.topics import TOPICS
from shared.messaging import positions
from shared.messaging.batches import BatchHandler
from shared.messaging.failures import Backoff, Kind, classify, describe
from shared.messaging.positions import Place
from shared.messaging.records import Record
from shared.messaging.work import Work
from shared.service import Platform

log = structlog.get_logger(__name__)

REBUILD_LOCK: Final = 7_305_102
LOOK_S: Final = 1.0
NEAR_RECORDS: Final = 2_000
"""So few records behind, the rest is read while writing waits."""
PASSES_MAX: Final = 20
EXCHANGES_MAX: Final = 60
"""How often the exchange is tried while readers hold the views."""
COMPACTED: Final = frozenset(
    topic.name for topic in TOPICS if topic.config.get("cleanup.policy") == "compact"
)


class Rebuilder:
    """Does what was asked for, one at a time over all processes of the service."""

    def __init__(self, platform: Platform, served: str, fill: BatchHandler | None = None) -> None:
        """`served` is the group of the consumer that builds the served views."""
        self._platform = platform
        self._served = served
        self._fill = fill or FillCopy(ShadowViews)
        self._asked = asyncio.Event()

    def wake(self) -> None:
        """Look at once: something was asked for."""
        self._asked.set()

    async def run(self) -> None:
        """Endless."""
        backoff = Backoff(1.0, 30.0)
        while True:
            try:
                await self._next()
                backoff.reset()
            except Exception as error:
                log.warning("a rebuild is begun again", error=describe(error))
                await asyncio.sleep(backoff.next())
            self._asked.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_S)

    async def _next(self) -> None:
        engine = self._platform.writer
        async with engine.connect() as plain:
            asked = await rebuilds.under_way(plain)
        if asked is None:
            return
        async with engine.connect() as plain:
            guard = await plain.execution_options(isolation_level="AUTOCOMMIT")
            locked = await guard.scalar(text(f"SELECT pg_try_advisory_lock({REBUILD_LOCK})"))
            if not locked:
                return
            try:
                await self._do(asked)
            finally:
                # A lock of the session would go back into the pool with its connection.
                await guard.execute(text(f"SELECT pg_advisory_unlock({REBUILD_LOCK})"))

    async def _do(self, asked: Row) -> None:
        try:
            await self._rebuild(asked)
        except Exception as error:
            if classify(error) is Kind.TRANSIENT:
                raise
            log.error("a rebuild failed", rebuild=asked["id"], error=describe(error))
            async with self._platform.unit_of_work.begin() as work:
                await rebuilds.finish(work, asked["id"], "failed", {"error": describe(error)})

    async def _rebuild(self, asked: Row) -> None:
        unit_of_work = self._platform.unit_of_work
        async with unit_of_work.begin() as work:
            await Shadow(work).empty()
            ends = await positions.load(work.connection, self._served)
        async with replaying(self._platform.kafka, ends) as replay:
            skipped = await self._catch_up(asked["id"], replay)
            for attempt in range(EXCHANGES_MAX):
                at = dict(replay.at)
                try:
                    async with unit_of_work.begin() as work:
                        report = await self._finish(work, asked, replay, skipped)
                    break
                except Exception as error:
                    if attempt == EXCHANGES_MAX - 1 or classify(error) is not Kind.TRANSIENT:
                        raise
                    # What was read meanwhile was rolled back with the rest.
                    replay.go_to(at)
                    await asyncio.sleep(0.5)
        log.info("views rebuilt", rebuild=asked["id"], **report)
        async with unit_of_work.begin() as work:
            await Shadow(work).empty()

    async def _catch_up(self, number: int, replay: Replay) -> int:
        """Read until the served views are nearly reached; how many records our own code could not take."""
        skipped = 0
        for _ in range(PASSES_MAX):
            async with self._platform.unit_of_work.engine.connect() as connection:
                ends = await positions.load(connection, self._served)
            if behind(replay.at, ends) <= NEAR_RECORDS:
                break
            async for records in replay.read_to(ends):
                async with self._platform.unit_of_work.begin() as work:
                    skipped += await self._take(work, records)
                    read, to_read = behind(replay.begins, replay.at), behind(replay.begins, ends)
                    await rebuilds.progress(work, number, read, to_read)
        return skipped

    async def _finish(self, work: Work, asked: Row, replay: Replay, skipped: int) -> dict[str, Any]:
        """The last records, the comparison at equal positions, and the exchange, while nobody writes."""
        shadow = Shadow(work)
        await shadow.stop_writing()
        ends = await positions.load(work.connection, self._served)
        async for records in replay.read_to(ends):
            skipped += await self._take(work, records)
        kept = await shadow.keep_expired(replay.begins)
        compared = await shadow.compare()
        exchanged = takes_over(
            compared, compare_only=asked["compare_only"], accepted=asked["accept_differences"]
        )
        gone = expired({(at.topic, at.partition): first for at, first in replay.begins.items()}, COMPACTED)
        report = {
            "differences": sum(one.differences for one in compared),
            "exchanged": exchanged,
            "views": [
                {**asdict(one), "examples": list(one.examples), "kept_from_expired": kept.get(one.view, 0)}
                for one in compared
            ],
            "expired": [asdict(one) for one in gone],
            "skipped": skipped,
        }
        await rebuilds.progress(
            work, asked["id"], behind(replay.begins, replay.at), behind(replay.begins, ends)
        )
        await rebuilds.finish(work, asked["id"], "done" if exchanged else verdict(compared), report)
        if exchanged:
            await shadow.exchange()
        return report

    async def _take(self, work: Work, records: Sequence[Record]) -> int:
        """Fold a batch into the copy; a record that makes our code fail is found by halving and left out, as the consumer
        of the served views did. Returns how many there were."""
        try:
            async with work.connection.begin_nested():
                await self._fill.handle(work, records)
        except Exception as error:
            if classify(error) is Kind.TRANSIENT:
                raise
            if len(records) == 1:
                log.error("a record could not be taken", record=records[0][:3], error=describe(error))
                return 1
            middle = len(records) // 2
            return await self._take(work, records[:middle]) + await self._take(work, records[middle:])
        return 0


def behind(at: dict[Place, int], ends: dict[Place, int]) -> int:
    """How many offsets lie between two sets of positions."""
    return sum(max(0, end - at.get(place, end)) for place, end in ends.items())
