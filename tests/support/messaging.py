"""A small service for the tests of messaging: a database with its tables, a handler that writes what it saw."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import SystemClock
from shared.db import create_engine
from shared.messaging.kafka import KafkaAccess
from shared.messaging.records import Record
from shared.messaging.tables import add_faults, create_messaging_tables
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from tests.support.engines import Database, Engines

_bases = itertools.count(int(SystemClock().now().timestamp()) * 100_000, 1_000_000)


async def make_tables(database: Database) -> None:
    """What the first migration of a service does, and a table of effects.

    The numbering of the outbox begins above that of every earlier test: they share the relay's topic, and a database
    made anew beside an old topic would look like one that was restored from a backup.
    """
    engine = create_engine(database.owner, "tests")
    async with engine.begin() as connection:
        await connection.run_sync(_make, database.service)
        await connection.execute(
            text(
                "CREATE TABLE effects (n bigserial PRIMARY KEY, topic text, partition int, at bigint, value bytea)"
            )
        )
        await connection.execute(text(f"GRANT ALL ON effects, effects_n_seq TO {database.service}_writer"))
        await connection.execute(text(f"ALTER SEQUENCE outbox_id_seq RESTART WITH {next(_bases)}"))
    await engine.dispose()


def _make(connection: Connection, service: str) -> None:
    operations = Operations(MigrationContext.configure(connection))
    create_messaging_tables(operations, service)
    add_faults(operations, service)


class Effects:
    """A handler whose effects would show every record that was handled twice, and that fails where it is told to."""

    def __init__(self) -> None:
        self.poison: set[bytes] = set()
        self.fail_all = False
        self.discarded = 0
        self.batches: list[int] = []
        self.seen: list[Record] = []

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        self.batches.append(len(records))
        for record in records:
            if self.fail_all or record.value in self.poison:
                raise ValueError("a fault of ours")
        await work.connection.execute(
            text(
                "INSERT INTO effects (topic, partition, at, value) VALUES (:topic, :partition, :at, :value)"
            ),
            [{"topic": r.topic, "partition": r.partition, "at": r.offset, "value": r.value} for r in records],
        )
        self.seen += records

    def discard(self) -> None:
        self.discarded += 1


class Bench:
    """Everything a test of messaging needs of one service."""

    def __init__(self, engines: Engines, database: Database) -> None:
        self.engines = engines
        self.database = database
        self.service = database.service
        self.engine: AsyncEngine = create_engine(database.writer, "tests")
        self.unit_of_work = UnitOfWork(self.engine, SystemClock(), self.service)
        self.kafka = KafkaAccess(
            engines.bootstrap,
            "SASL_PLAINTEXT",
            "SCRAM-SHA-512",
            self.service,
            engines.kafka_passwords[self.service],
        )
        self.dsn = database.dsn(f"{self.service}_writer", "postgresql")

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        async with self.engine.connect() as connection:
            return list(await connection.execute(text(statement), values))

    async def effects(self, topic: str) -> list[tuple[int, int]]:
        """Partition and offset of every effect, in the order in which they were made."""
        return [
            (row.partition, row.at)
            for row in await self.rows(
                "SELECT partition, at FROM effects WHERE topic = :topic ORDER BY n", topic=topic
            )
        ]

    def produce(self, topic: str, values: Sequence[bytes | None], partition: int = -1, **more: Any) -> None:
        settings: dict[str, Any] = {"enable.idempotence": True, "linger.ms": 5}
        producer = Producer(self.engines.librdkafka(**settings))
        for number, value in enumerate(values):
            producer.produce(topic, value=value, key=f"k{number % 20}".encode(), partition=partition, **more)
        assert producer.flush(20) == 0

    def read(self, topic: str, partitions: int = 3) -> list[Any]:
        """Everything that a `read_committed` reader sees of a topic up to its present end, per partition in order."""
        settings: dict[str, Any] = {
            "group.id": "tests",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
        consumer = Consumer(self.engines.librdkafka(**settings))
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        found, ended = [], 0
        deadline = time.monotonic() + 20
        while ended < partitions and time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            error = message.error()
            if error is None:
                found.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended += 1
        consumer.close()
        assert ended == partitions
        return found
