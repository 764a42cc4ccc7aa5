"""Rewinding a consumer: offsets are asked of Kafka, positions are changed in the database (PLT-5).

Only backwards: to go forward would skip what nobody has handled. A running consumer notices by its next comparison or its
look at the table every second, and everything that it reads again changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging import positions
from shared.messaging.kafka import KafkaAccess
from shared.messaging.positions import Place

Target = Literal["beginning"] | int | datetime
"""Where to: what the topic still has from its beginning, an offset, or the first record not older than an instant."""


class Rewound(NamedTuple):
    """A position that a rewinding moves."""

    place: Place
    before: int
    after: int


async def offsets_of(kafka: KafkaAccess, topic: str, to: Target) -> dict[int, int]:
    """For each partition the offset that the target means: never before the first record that is still there; of an
    instant the end where all records are older."""
    async with _client(kafka) as consumer:
        # An unsubscribed client knows no topic until it is asked for one.
        partitions = [TopicPartition(topic, number) for number in await _partitions(consumer, topic)]
        first = await consumer.beginning_offsets(partitions)
        if to == "beginning":
            return {at.partition: first[at] for at in partitions}
        if isinstance(to, int):
            return {at.partition: max(to, first[at]) for at in partitions}
        milliseconds = max(0, int(to.timestamp() * 1000))
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        ends = await consumer.end_offsets(partitions)
        return {at.partition: (found[at].offset if found[at] is not None else ends[at]) for at in partitions}


@asynccontextmanager
async def _client(kafka: KafkaAccess) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(**kafka.aiokafka(), isolation_level="read_committed")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.add_topic(topic)
    await consumer._client.force_metadata_update()
    known: set[int] | None = consumer.partitions_for_topic(topic)
    if not known:
        raise LookupError(f"there is no topic {topic}")
    return known


async def rewindings(
    connection: AsyncConnection, consumer: str, offsets: Mapping[str, Mapping[int, int]]
) -> list[Rewound]:
    """What going to these offsets, by topic and partition, would move; a position already before its offset stays, and so
    does a partition that was never read."""
    stored = await positions.load(connection, consumer)
    return [
        Rewound(place, before, after)
        for place, before in sorted(stored.items())
        if (after := offsets.get(place.topic, {}).get(place.partition, before)) < before
    ]


async def rewind_to(
    connection: AsyncConnection, consumer: str, offsets: Mapping[str, Mapping[int, int]]
) -> list[Rewound]:
    """Have `consumer` (its group name, such as `tiering.transactions`) read again from these offsets. The transaction is the
    caller's."""
    moved = await rewindings(connection, consumer, offsets)
    for place, _, after in moved:
        await positions.rewind(connection, consumer, *place, after)
    return moved
