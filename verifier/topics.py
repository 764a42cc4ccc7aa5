"""Topics read from their beginning to their end, committed records only, by a client that commits nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

POLL_S: Final = 0.1
"""`consume` waits this long even when the end is reached before `AT_ONCE` records are there."""
AT_ONCE: Final = 5_000
ASKED_AGAIN: Final = 25


class Record(NamedTuple):
    """A record as it lies in its topic. `headers` is None where the client cannot decode a header's name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] | None

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class TopicError(RuntimeError):
    """Kafka refuses or does not answer."""


class Topics:
    """A reader of every topic that the checker's principal may read."""

    def __init__(self, properties: dict[str, Any]) -> None:
        self._properties = {
            "log_level": 0,
            **properties,
            "group.id": "verifier.keypost",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65536,
            "fetch.wait.max.ms": 50,
        }

    async def named(self, families: Iterable[str]) -> list[str]:
        """The topics there are whose names begin with one of these and a dot."""
        return await asyncio.to_thread(self._named, tuple(f"{family}." for family in families))

    def _named(self, beginnings: tuple[str, ...]) -> list[str]:
        consumer = Consumer(self._properties)
        try:
            known = consumer.list_topics(timeout=30).topics
            return sorted(name for name in known if name.startswith(beginnings))
        except KafkaException as problem:
            raise TopicError(problem.args[0].str()) from problem
        finally:
            consumer.close()

    async def ranges(self, topics: Iterable[str]) -> dict[str, dict[int, tuple[int, int]]]:
        """Topic → partition → (first offset kept, offset after the last); a topic that is not there has none."""
        return await asyncio.to_thread(self._ranges, topics)

    def _ranges(self, topics: Iterable[str]) -> dict[str, dict[int, tuple[int, int]]]:
        consumer = Consumer(self._properties)
        found: dict[str, dict[int, tuple[int, int]]] = {}
        try:
            for topic in topics:
                found[topic] = {
                    number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)
                    for number in _partitions(consumer, topic)
                }
            return found
        except KafkaException as problem:
            raise TopicError(problem.args[0].str()) from problem
        finally:
            consumer.close()

    async def read(self, topic: str, partitions: Iterable[int]) -> AsyncIterator[list[Record]]:
        """Records in the order of each partition. An empty list says that all there was has been read; whoever waits
        for more goes on, whoever does not stops."""
        consumer = await asyncio.to_thread(self._assigned, topic, partitions)
        ended: set[int] = set()
        numbers = set(partitions)
        silent_s = 0.0
        try:
            while True:
                messages = await asyncio.to_thread(consumer.consume, AT_ONCE, POLL_S)
                records = []
                for message in messages:
                    error = message.error()
                    if error is None:
                        ended.discard(int(message.partition() or 0))
                        records.append(_record(message))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        ended.add(int(message.partition() or 0))
                    elif not error.retriable():
                        raise TopicError(f"{topic}: {error.str()}")
                silent_s = 0.0 if messages else silent_s + POLL_S
                if records:
                    yield records
                if ended == numbers:
                    yield []
                elif silent_s >= 60:
                    raise TopicError(f"{topic}: Kafka does not answer")
        finally:
            await asyncio.to_thread(consumer.close)

    def _assigned(self, topic: str, partitions: Iterable[int]) -> Consumer:
        consumer = Consumer(self._properties)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        return consumer


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    """A topic's partitions. A broker that has just started does not know all its topics and rules yet, so it is asked
    again for a while; a topic that stays away has none."""
    known = None
    for _ in range(ASKED_AGAIN):
        known = consumer.list_topics(topic, timeout=30).topics.get(topic)
        if known is not None and known.error is None:
            return list(known.partitions)
        consumer.poll(POLL_S)
    if (
        known is not None
        and known.error is not None
        and known.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART
    ):
        raise TopicError(f"{topic}: {known.error.str()}")
    return []


def _record(message: Any) -> Record:
    try:
        headers = tuple(message.headers() or ())
    except (UnicodeDecodeError, SystemError):
        headers = None
    return Record(
        message.topic(), message.partition(), message.offset(), message.key(), message.value(), headers
    )
