"""Rewinding a consumer to an instant: the offset is asked of Kafka, the position is changed in the database."""

from __future__ import annotations

from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging import positions
from shared.messaging.kafka import KafkaAccess


async def offsets_at(kafka: KafkaAccess, topic: str, instant: datetime) -> dict[int, int]:
    """For each partition the first offset whose record is not older than `instant`; the end where all are older."""
    consumer = AIOKafkaConsumer(**kafka.aiokafka(), isolation_level="read_committed")
    await consumer.start()
    try:
        # An unsubscribed client knows no topic until it is asked for one.
        partitions = [TopicPartition(topic, number) for number in await _partitions(consumer, topic)]
        milliseconds = int(instant.timestamp() * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        ends = await consumer.end_offsets(partitions)
        return {at.partition: (found[at].offset if found[at] is not None else ends[at]) for at in partitions}
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.add_topic(topic)
    await consumer._client.force_metadata_update()
    known: set[int] | None = consumer.partitions_for_topic(topic)
    if not known:
        raise LookupError(f"there is no topic {topic}")
    return known


async def rewind_to(
    connection: AsyncConnection, kafka: KafkaAccess, consumer: str, topic: str, instant: datetime
) -> dict[int, int]:
    """Have `consumer` (its group name, such as `tiering.transactions`) read everything since `instant` again.

    Returns the new positions. The transaction is the caller's. A position already before that instant stays.
    """
    moved: dict[int, int] = {}
    stored = await positions.load(connection, consumer)
    for partition, offset in (await offsets_at(kafka, topic, instant)).items():
        now = stored.get(positions.Place(topic, partition))
        if now is not None and offset < now:
            await positions.rewind(connection, consumer, topic, partition, offset)
            moved[partition] = offset
    return moved
