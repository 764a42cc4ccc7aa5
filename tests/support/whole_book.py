"""A whole consistent state as the services leave it: tiering's and reporting's databases and the topics between them.

A scenario is played on tiering's own handlers; what arrives goes to its topic first, what tiering tells is published
from its outbox afterwards, and reporting's views are built from that. Everything lies in partition 0, so that offsets
are known without asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from sqlalchemy import text

from services.reporting.adapters.views import PostgresViews
from services.reporting.handlers.build_views import TOPICS as REPORTED
from services.reporting.handlers.build_views import BuildViews
from shared.clock import SandboxClock
from shared.contracts.topics import COUNTER_TRANSACTIONS, CUSTOMERS
from shared.db import create_engine
from shared.messaging.records import Record, decode_headers
from tests.support.engines import Database, Engines
from tests.support.ledger_bench import LedgerBench
from tests.support.model import Customer
from tests.support.states import HandlerBench
from verifier.settings import Settings

Message = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]


@dataclass
class Broker:
    """Remembers what goes to each topic and writes it to partition 0 when asked."""

    engines: Engines
    written: dict[str, list[Message]] = field(default_factory=dict)

    def add(self, topic: str, messages: Sequence[Message]) -> None:
        self.written.setdefault(topic, []).extend(messages)

    def write(self, topic: str, messages: Sequence[Message]) -> None:
        """One connection for all of it, and one request at a time so that the order stays."""
        producer = Producer(self.engines.librdkafka("admin", **{"max.in.flight": 1, "linger.ms": 20}))
        for key, value, headers in messages:
            producer.produce(topic, value=value, key=key, headers=list(headers), partition=0)
        assert producer.flush(120) == 0


class WholeBench(LedgerBench):
    """tiering's handlers between real topics."""

    def __init__(self, broker: Broker, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.broker = broker

    async def publish(self, messages: Sequence[Message]) -> None:
        self._offset = len(self.broker.written.get(COUNTER_TRANSACTIONS, ()))
        self.broker.add(COUNTER_TRANSACTIONS, messages)
        await super().publish(messages)
        await self._read_to(COUNTER_TRANSACTIONS)

    async def tell(self, customers: Sequence[Customer]) -> None:
        self._offset = len(self.broker.written.get(CUSTOMERS, ())) - 1
        await super().tell(customers)
        await self._read_to(CUSTOMERS)

    def _state_record(self, customer: Customer) -> Record:
        record = super()._state_record(customer)
        self.broker.add(CUSTOMERS, [(record.key, record.value, record.headers)])
        return record

    async def _read_to(self, topic: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO positions VALUES ('test', :topic, 0, :offset) "
                    "ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset"
                ),
                {"topic": topic, "offset": len(self.broker.written[topic])},
            )


@dataclass
class WholeBook:
    """The state, and how a checker reaches it."""

    engines: Engines
    broker: Broker
    bench: WholeBench
    tiering: Database
    reporting: Database
    views: HandlerBench
    clock: Path

    @property
    def settings(self) -> Settings:
        return Settings(
            databases={
                "tiering": self.tiering.dsn("verifier", "postgresql"),
                "reporting": self.reporting.dsn("verifier", "postgresql"),
            },
            kafka=self.engines.librdkafka("verifier"),
            sandbox_clock=self.clock,
            timeout_s=3.0,
        )

    async def publish(self) -> None:
        """Write every topic, what tiering has to tell included, let reporting read it, and note the time."""
        SandboxClock.create(self.clock, self.bench.clock.now())
        await self.bench.tell_revenue()
        async with self.bench.engine.connect() as connection:
            statement = text("SELECT topic, key, value, headers FROM outbox ORDER BY id")
            rows = (await connection.execute(statement)).all()
        for row in rows:
            self.broker.add(row.topic, [(row.key, row.value, decode_headers(bytes(row.headers)))])
        for topic, messages in self.broker.written.items():
            self.broker.write(topic, messages)
        async with self.bench.engine.begin() as connection:
            await connection.execute(text("DELETE FROM outbox"))
        for topic in REPORTED:
            records = [
                Record(topic, 0, offset, key, value, tuple(headers), 0)
                for offset, (key, value, headers) in enumerate(self.broker.written.get(topic, ()))
            ]
            await self.views.take(records)
            async with self.views.engine.begin() as connection:
                await connection.execute(
                    text("INSERT INTO positions VALUES ('test', :topic, 0, :offset)"),
                    {"topic": topic, "offset": len(records)},
                )

    def sql(self, statement: str, database: Database | None = None) -> str:
        """Whatever a service may not do: as the superuser, past every right and rule."""
        return self.engines.postgres.sql((database or self.tiering).name, statement)


async def make_book(engines: Engines, start: datetime, clock: Path, **options: Any) -> WholeBook:
    """An empty book on fresh databases. The topics must be empty, as those of engines that were just started."""
    tiering, reporting = (
        await engines.migrated_database("tiering"),
        await engines.migrated_database("reporting"),
    )
    broker = Broker(engines)
    bench = WholeBench(broker, create_engine(tiering.writer, "bench"), start, **options)
    views = HandlerBench(reporting, BuildViews(PostgresViews))
    return WholeBook(engines, broker, bench, tiering, reporting, views, clock)


async def drop_book(book: WholeBook) -> None:
    await book.bench.engine.dispose()
    await book.views.engine.dispose()
    book.engines.drop_database(book.tiering)
    book.engines.drop_database(book.reporting)
