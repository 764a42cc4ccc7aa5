"""Everything that one pass reads: a snapshot of each database, the topics, and how long may be waited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from verifier.settings import Settings
from verifier.snapshot import Snapshot, snapshot
from verifier.topics import Record, Topics

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Sources:
    """One pass's view of the system. A service that is not there is missing from `databases`."""

    settings: Settings
    databases: dict[str, Snapshot]
    topics: Topics | None
    deadline: float
    """In the event loop's time: until then records are awaited that a database says have been sent."""
    ends: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    """Topic → partition → (first offset, end) as they were before the snapshots were taken: everything up to there has
    its cause in the snapshots."""

    def database(self, service: str) -> Snapshot | None:
        return self.databases.get(service)

    def now(self, db: Snapshot) -> datetime:
        """The time the services go by: in a sandbox its own clock, a file with the microseconds since 1970."""
        clock = self.settings.sandbox_clock
        if clock is None:
            return db.taken_at
        return _EPOCH + timedelta(microseconds=int.from_bytes(clock.read_bytes()[:8], "little", signed=True))

    def waiting_over(self) -> bool:
        return asyncio.get_running_loop().time() >= self.deadline

    async def read(
        self, topic: str, keep: Callable[[list[Record]], None], complete: Callable[[], bool] = lambda: True
    ) -> bool:
        """Give every record of a topic to `keep`, and go on at its end until it is complete or the time is over. False
        when there is no such topic."""
        partitions = self.ends.get(topic)
        if self.topics is None or not partitions:
            return False
        async for records in self.topics.read(topic, list(partitions)):
            if records:
                keep(records)
            elif complete() or self.waiting_over():
                break
        return True

    def from_beginning(self, topic: str) -> bool:
        """Whether nothing has been removed from the front of a topic."""
        return all(first == 0 for first, _ in self.ends.get(topic, {}).values())

    def settled(self, record: Record) -> bool:
        """Whether the record was there before the snapshots: what it tells must then be in them."""
        return record.offset < self.ends[record.topic].get(record.partition, (0, 0))[1]


async def positions(db: Snapshot, topic: str) -> dict[int, int]:
    """How far a service has read a topic: partition → the next offset."""
    rows = await db.rows(
        "SELECT partition, min(next_offset) FROM positions WHERE topic = $1 GROUP BY partition", topic
    )
    return {row[0]: row[1] for row in rows}


@asynccontextmanager
async def open_sources(
    settings: Settings, topics: tuple[str, ...], families: tuple[str, ...] = ()
) -> AsyncIterator[Sources]:
    """First where the topics end, then the databases: a record that was published has its cause in its database. A family
    is every topic whose name begins with one, a dot between them."""
    reader = Topics(settings.kafka) if settings.kafka else None
    deadline = asyncio.get_running_loop().time() + settings.timeout_s
    ends = await reader.ranges((*topics, *await reader.named(families))) if reader else {}
    async with AsyncExitStack() as stack:
        databases = {
            service: await stack.enter_async_context(snapshot(service, settings.databases[service]))
            for service in sorted(settings.databases)
        }
        yield Sources(settings, databases, reader, deadline, ends)
