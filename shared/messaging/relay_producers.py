"""The Kafka side of the relay: transactional producers used in turn, and the position that commits with the records.

Everything here blocks and runs in a thread of its own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from shared.clock import monotonic
from shared.contracts.topics import relay_topic
from shared.failpoints import failpoint_blocking
from shared.messaging.kafka import KafkaAccess
from shared.messaging.records import decode_headers, wire_name

log = structlog.get_logger(__name__)

PRODUCERS: Final = 4
"""How many transactional ids a service's relay uses. A single producer waits for the broker to finish the markers of
its last transaction; several in turn hide that wait. The number may grow but must never shrink: a successor fences
its predecessor by taking over *every* id, and an id it does not know of would stay in a zombie's hands."""
SHARD: Final = b"0"
SECONDS: Final = 15.0
"""How long a call may take before everything is built anew; a stop may have to wait for it."""
TRANSACTION_MS: Final = 30_000


class OutboxRow(NamedTuple):
    """A row of the outbox as the relay reads it."""

    id: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: bytes


def published_headers(encoded: bytes) -> list[tuple[str, str | bytes | None]]:
    """Headers as the client takes them."""
    return [(wire_name(name), value) for name, value in decode_headers(encoded)]


class UnclearEndError(ConnectionError):
    """A transaction has ended, and the request that ended it was sent more than once."""


class RelayProducers:
    """All transactional producers of one service, from taking over the ids to being thrown away after any error."""

    def __init__(self, service: str, kafka: KafkaAccess) -> None:
        self._service = service
        self._topic = relay_topic(service)
        self._kafka = kafka
        self._producers: list[Producer] = []
        self._turn = 0
        self._ends = _Ends()

    def start(self) -> int:
        """Take over every id, then read how far the outbox has been published (0 where nothing has).

        The order is the promise. Taking over an id fences whoever held it and has the broker finish or undo its open
        transaction; only when that is done for all of them can no predecessor publish any more, and what the topic
        then says about the position is final.
        """
        self._producers = [self._producer(number) for number in range(PRODUCERS)]
        consumer = self._consumer()
        try:
            with ThreadPoolExecutor(PRODUCERS + 1) as pool:
                # The reader only connects meanwhile, which takes half a second; it reads nothing yet.
                connected = pool.submit(consumer.list_topics, self._topic, SECONDS)
                list(pool.map(lambda producer: producer.init_transactions(SECONDS), self._producers))
                connected.result()
            return self._read_position(consumer)
        finally:
            consumer.close()

    def _producer(self, number: int) -> Producer:
        return Producer(
            {
                **self._kafka.librdkafka(),
                "client.id": f"{self._service}.relay.{number}",
                "transactional.id": f"{self._service}.relay.{number}",
                "transaction.timeout.ms": TRANSACTION_MS,
                "acks": "all",
                "enable.idempotence": True,
                # The partitioner of the Java client, so that every producer puts a customer into the same partition.
                "partitioner": "murmur2_random",
                "message.max.bytes": 4 * 1024 * 1024,
                "linger.ms": 1,
                # While the coordinator finishes the last transaction's markers it answers "try again"; the default
                # pause of 100 ms would be the latency of every second transaction.
                "retry.backoff.ms": 5,
                "retry.backoff.max.ms": 100,
                "message.timeout.ms": TRANSACTION_MS,
                # The client's own words about transactions: see `_Ends`.
                "debug": "eos",
                "log_level": 7,
            },
            logger=self._ends,
        )

    def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Publish the rows and the position after them in one transaction. Any error means: throw everything away and
        start again, which finds out from the topic whether this happened.

        So does an end that was answered by anything but success, although the client asks again by itself and says that
        all is well: its first request may still be on its way. On a producer that had begun again it would end the next
        transaction in its middle."""
        producer = self._producers[self._turn]
        self._turn = (self._turn + 1) % len(self._producers)
        self._ends.unclear = None
        producer.begin_transaction()
        for row in rows:
            producer.produce(row.topic, value=row.value, key=row.key, headers=published_headers(row.headers))
        producer.produce(self._topic, value=str(rows[-1].id).encode(), key=SHARD)
        failpoint_blocking("relay_after_send")
        # Sends what is still queued, waits for every acknowledgement, and fails where one record failed.
        failpoint_blocking("relay_before_commit")
        producer.commit_transaction(SECONDS)
        failpoint_blocking("relay_after_commit")
        # The client's words are handed over by polling.
        producer.poll(0)
        if self._ends.unclear is not None:
            raise UnclearEndError(self._ends.unclear)

    def close(self) -> None:
        """Let go of the producers without waiting for what they still hold: it is in the outbox."""
        producers, self._producers = self._producers, []
        for producer in producers:
            producer.purge()
        del producers

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **self._kafka.librdkafka(),
                "group.id": f"{self._service}.relay",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "log_level": 3,
            },
            logger=_client_log,
        )

    def _read_position(self, consumer: Consumer) -> int:
        """The last committed record of the position topic."""
        low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=SECONDS)
        back = 64
        while True:
            # From near the end: an hour's worth of records may lie between two cleanings of the topic.
            start = max(low, high - back)
            found = self._last_from(consumer, start if start > low else OFFSET_BEGINNING)
            if found is not None or start <= low:
                return found or 0
            back *= 8

    def _last_from(self, consumer: Consumer, start: int) -> int | None:
        consumer.assign([TopicPartition(self._topic, 0, start)])
        last: int | None = None
        deadline = monotonic() + SECONDS
        while monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is None:
                continue
            error: Any = message.error()
            if error is None:
                if message.key() == SHARD and (value := message.value()) is not None:
                    last = int(value)
            elif error.code() == KafkaError._PARTITION_EOF:
                return last
            elif not error.retriable():
                raise KafkaException(error)
        raise TimeoutError("the position topic could not be read to its end")


class _ClientLog:
    """librdkafka's own words at debug level; what matters reaches us as exceptions."""

    def log(self, _level: int, message: str, *arguments: Any) -> None:
        log.debug("librdkafka", message=message % arguments if arguments else message)


_client_log: Any = _ClientLog()


class _Ends:
    """Listens for ends of transactions without a clear answer. The client (librdkafka 2.16) asks again without telling its
    caller; what it writes into its log of transactions is the only sign."""

    _ANSWER: Final = re.compile(r"EndTxn returned (\w+)")
    _CLEAR: Final = frozenset(("NO_ERROR", "CONCURRENT_TRANSACTIONS", "COORDINATOR_LOAD_IN_PROGRESS"))
    """Done, or surely not done and to be asked again."""

    def __init__(self) -> None:
        self.unclear: str | None = None

    def log(self, level: int, message: str, *arguments: Any) -> None:
        said = message % arguments if arguments else message
        answer = self._ANSWER.search(said)
        if answer is not None and answer[1] not in self._CLEAR:
            self.unclear = answer[0]
        if level > logging.DEBUG:
            log.debug("librdkafka", message=said)
