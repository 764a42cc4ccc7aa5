"""One transaction's worth of effects: the connection, the instant, and what is to be published if it commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.topics import BY_NAME
from shared.messaging.records import Outgoing, Record, check_size

if TYPE_CHECKING:
    import asyncpg

REASONS = frozenset(
    [
        "not_json",
        "not_cloudevent",
        "wrong_type",
        "missing_field",
        "bad_field",
        "oversized",
        "bad_encoding",
        "internal_error",
    ]
)
"""The reasons for which a message becomes a dead letter; a stable list that the outside relies on."""


class DeadLetter:
    """A record that is given up in this transaction, and why."""

    __slots__ = ("detail", "reason", "record")

    def __init__(self, record: Record, reason: str, detail: str) -> None:
        self.record = record
        self.reason = reason
        self.detail = detail


class Work:
    """Handed to handlers, timers and commands by `UnitOfWork.begin`; never kept beyond the transaction.

    `connection` is in a transaction that the unit of work alone commits. `now` is the clock read once, so that every
    effect of one transaction bears one instant. `token` names the transaction where its commit may have to be proved.
    """

    __slots__ = ("callbacks", "connection", "consumer", "dead_letters", "now", "outgoing", "service", "token")

    def __init__(
        self, connection: AsyncConnection, now: datetime, service: str, consumer: str = "", token: str = ""
    ) -> None:
        self.connection = connection
        self.now = now
        self.service = service
        self.consumer = consumer
        self.token = token
        self.outgoing: list[Outgoing] = []
        self.dead_letters: list[DeadLetter] = []
        self.callbacks: list[Callable[[], None]] = []

    def publish(self, outgoing: Outgoing) -> None:
        """Publish once the transaction has committed, in the order of these calls. Raises `OversizedError`."""
        topic = BY_NAME.get(outgoing.topic)
        if topic is not None and self.service not in topic.producers:
            # The broker would refuse it later, and with it everything behind it in the outbox.
            raise ValueError(f"{self.service} does not produce to {outgoing.topic}")
        check_size(outgoing)
        self.outgoing.append(outgoing)

    def dead_letter(self, record: Record, reason: str, detail: str) -> None:
        """Give the record up: a row and a record on the dead-letter topic, in this transaction.

        `detail` is for people and must not carry personal data. A second delivery of the same record adds nothing.
        """
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is not a reason for a dead letter")
        self.dead_letters.append(DeadLetter(record, reason, detail[:2000]))

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction has surely committed; for wake-ups and metrics, never for effects: a process
        killed after its commit does not call it."""
        self.callbacks.append(callback)

    async def fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """The rows of a statement with `$1 …` parameters, inside this transaction."""
        connection = await self.raw()
        return list(await connection.fetch(statement, *values))

    async def fetchrow(self, statement: str, *values: Any) -> asyncpg.Record | None:
        """Its first row, or None."""
        connection = await self.raw()
        return await connection.fetchrow(statement, *values)

    async def fetchval(self, statement: str, *values: Any) -> Any:
        """The first column of its first row, or None."""
        connection = await self.raw()
        return await connection.fetchval(statement, *values)

    async def execute(self, statement: str, *values: Any) -> int:
        """Carry a statement out; how many rows it touched."""
        connection = await self.raw()
        return _rows_touched(await connection.execute(statement, *values))

    async def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Carry a statement out for each row of values."""
        connection = await self.raw()
        await connection.executemany(statement, rows)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Append rows to a table by COPY."""
        connection = await self.raw()
        await connection.copy_records_to_table(table, records=rows, columns=list(columns))

    async def raw(self) -> asyncpg.Connection:
        """The asyncpg connection inside the same transaction, for COPY and array parameters."""
        pooled = await self.connection.get_raw_connection()
        raw: Any = pooled.driver_connection
        if not raw.is_in_transaction():
            # SQLAlchemy opens its transaction with the first statement; without this one, what is done on the raw
            # connection would commit by itself.
            await self.connection.execute(_NOTHING)
        return raw


def _rows_touched(status: str) -> int:
    """The number that ends a command's status, such as `UPDATE 3`; 0 for one without."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


_NOTHING = text("SELECT 1")
