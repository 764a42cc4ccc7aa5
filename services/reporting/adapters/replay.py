"""Topics read once more from their beginnings, up to where another reader has come, with positions of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.clock import monotonic
from shared.messaging.fetching import install
from shared.messaging.kafka import KafkaAccess
from shared.messaging.positions import Place
from shared.messaging.records import Record

BATCH_RECORDS: Final = 2_000
PARTITION_BYTES: Final = 2 * 1024 * 1024
PATIENCE_S: Final = 60.0
"""How long a broker may bring nothing although there is something to bring."""


class StandstillError(ConnectionError):
    """Kafka brings nothing of what lies before an end that another reader has reached."""


class Replay:
    """One pass over the partitions. It belongs to no group and stores nothing in Kafka."""

    def __init__(self, consumer: AIOKafkaConsumer, begins: Mapping[Place, int]) -> None:
        self._consumer = consumer
        self.begins: Final = dict(begins)
        """Where each partition began when the pass did: what lies before has expired."""
        self.at: dict[Place, int] = dict(begins)
        """The next offset of each partition."""

    def go_to(self, at: Mapping[Place, int]) -> None:
        """Go on from other positions: what was read since did not take effect."""
        for place, offset in at.items():
            if self.at[place] != offset:
                self._consumer.seek(TopicPartition(*place), offset)
        self.at = dict(at)

    async def read_to(self, ends: Mapping[Place, int]) -> AsyncIterator[list[Record]]:
        """The records before the ends, in order within each partition."""
        due = {TopicPartition(*place): end for place, end in ends.items() if self.at.get(place, end) < end}
        for at in self._consumer.assignment():
            (self._consumer.resume if at in due else self._consumer.pause)(at)
        moved = monotonic()
        while due:
            batches = await self._consumer.getmany(timeout_ms=250, max_records=BATCH_RECORDS)
            records: list[Record] = []
            for at, found in batches.items():
                wanted = [record for record in found if record.offset < due[at]]
                records += wanted
                if len(wanted) < len(found):
                    self._consumer.seek(at, due[at])
            for at, end in list(due.items()):
                reached = min(await self._consumer.position(at), end)
                if reached > self.at[Place(*at)]:
                    # Positions also pass over markers of transactions and what compaction took away.
                    self.at[Place(*at)] = reached
                    moved = monotonic()
                if reached >= end:
                    self._consumer.pause(at)
                    del due[at]
            if records:
                yield records
                moved = monotonic()
            elif monotonic() - moved > PATIENCE_S:
                raise StandstillError(f"{len(due)} partitions bring nothing")


@asynccontextmanager
async def replaying(kafka: KafkaAccess, places: Iterable[Place]) -> AsyncIterator[Replay]:
    """A pass from the beginning of these partitions."""
    # Header names that are no text would end the client's own parser.
    install()
    partitions = [TopicPartition(*place) for place in sorted(places)]
    options: dict[str, Any] = {
        "isolation_level": "read_committed",
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "max_partition_fetch_bytes": PARTITION_BYTES,
    }
    consumer = AIOKafkaConsumer(**kafka.aiokafka(), **options)
    await consumer.start()
    try:
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions) if partitions else {}
        for at, offset in begins.items():
            consumer.seek(at, offset)
        yield Replay(consumer, {Place(*at): offset for at, offset in begins.items()})
    finally:
        await consumer.stop()
