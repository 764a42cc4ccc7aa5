"""The relay: takes what has committed to the outbox to Kafka, exactly once and in order, whatever is killed.

One process of a service leads, by a session lock in the database. The lock keeps the peace and is not what safety
rests on: a leader may sleep through the loss of its lock. Safety rests on Kafka: the position in the outbox commits in
the same transaction as the records, and a successor first takes over all transactional ids, after which a
predecessor that wakes up can no longer commit anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import asyncpg
import structlog

from shared.clock import monotonic
from shared.failpoints import failpoint
from shared.messaging.failures import Backoff, classify, describe
from shared.messaging.kafka import KafkaAccess
from shared.messaging.metrics import (
    FAILURES,
    OUTBOX_AGE,
    OUTBOX_PENDING,
    RELAY_LEADER,
    RELAY_RECORDS,
    RELAY_TRANSACTION_SECONDS,
)
from shared.messaging.outbox import CHANNEL
from shared.messaging.relay_producers import OutboxRow, RelayProducers

log = structlog.get_logger(__name__)

LEADER_LOCK: Final = 7_305_004
ROWS: Final = 500
BYTES: Final = 1_000_000
POLL_SECONDS: Final = 0.5
TIDY_SECONDS: Final = 0.5
LEASE_SECONDS: Final = 10.0
MARKS_SECONDS: Final = 3600.0

_SELECT: Final = f"""
    SELECT id, topic, key, value, headers FROM (
        SELECT *, sum(coalesce(octet_length(value), 0) + octet_length(headers)) OVER (ORDER BY id) AS bytes,
               row_number() OVER (ORDER BY id) AS place
        FROM (SELECT * FROM outbox WHERE id > $1 ORDER BY id LIMIT {ROWS}) AS next
    ) AS counted WHERE bytes <= {BYTES} OR place = 1 ORDER BY id
"""


class Relay:
    """Runs beside everything else in the service's process; never ends by itself before `stop`."""

    def __init__(
        self, service: str, dsn: str, kafka: KafkaAccess, *, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._dsn = dsn
        self._service = service
        self._kafka = kafka
        self._lease = lease_seconds
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay")
        self._published = 0
        self._marks_swept_at = float("-inf")
        self._behind_since: float | None = None
        self._reason: str | None = "not started"

    @property
    def published(self) -> int:
        """The last outbox id known to be published; 0 where this process does not lead."""
        return self._published

    def healthy(self) -> str | None:
        """None, or why nothing is being published. A follower is well."""
        return self._reason

    def stop(self) -> None:
        """End after the transaction in hand."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Lead or wait to lead, until `stop`. Every error is logged and counted, and everything is built anew."""
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                await self._lead_when_free(backoff)
            except Exception as error:
                FAILURES.labels("relay", classify(error).value).inc()
                self._reason = f"starting again: {describe(error)}"
                log.warning("the relay starts again", error=describe(error), kind=classify(error).value)
                await self._sleep(backoff.next())
            finally:
                self._published = 0
                RELAY_LEADER.set(0)
        self._thread.shutdown(wait=False)
        self._reason = "stopped"

    async def _lead_when_free(self, backoff: Backoff) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=5,
            command_timeout=30,
            server_settings={
                "application_name": f"{self._service}.relay",
                "jit": "off",
                # A stopped leader (SIGSTOP, a hung machine) keeps its connection and with it the lock, as long as
                # somebody holds the socket. The server itself ends a session that says nothing for this long; a
                # leader that lives says something at least three times as often.
                "idle_session_timeout": str(int(self._lease * 1000)),
            },
        )
        try:
            if await self._take_lock(connection):
                await self._lead(connection, backoff)
        finally:
            connection.terminate()

    async def _take_lock(self, connection: asyncpg.Connection) -> bool:
        while not self._stopping.is_set():
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEADER_LOCK):
                return True
            self._reason = None
            await self._sleep(min(0.5, self._lease / 3))
        return False

    async def _lead(self, connection: asyncpg.Connection, backoff: Backoff) -> None:
        producers = RelayProducers(self._service, self._kafka)
        try:
            position = await self._in_thread(connection, producers.start)
            position = await self._reconcile(connection, position)
            await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
            log.info("leading the relay", position=position)
            RELAY_LEADER.set(1)
            self._reason = None
            backoff.reset()
            await self._publish_for_ever(connection, producers, position)
        finally:
            # Also after a clean stop: an open transaction, if any, is undone by the next leader.
            await asyncio.get_running_loop().run_in_executor(self._thread, producers.close)

    async def _publish_for_ever(
        self, connection: asyncpg.Connection, producers: RelayProducers, position: int
    ) -> None:
        self._published = position
        tidied, tidied_at = -1, 0.0
        while not self._stopping.is_set():
            # Cleared before the look: a row that commits after it sets the flag again.
            self._wake.clear()
            rows = [OutboxRow(*row) for row in await connection.fetch(_SELECT, position)]
            if rows:
                await failpoint("relay_after_select")
                started = monotonic()
                await self._in_thread(connection, producers.publish, rows)
                RELAY_TRANSACTION_SECONDS.observe(monotonic() - started)
                RELAY_RECORDS.inc(len(rows))
                position = self._published = rows[-1].id
            self._note_age(bool(rows))
            if position != tidied and (not rows or monotonic() - tidied_at > TIDY_SECONDS):
                await self._tidy(connection, position)
                tidied, tidied_at = position, monotonic()
            elif not rows:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), min(POLL_SECONDS, self._lease / 3))

    def _note_age(self, behind: bool) -> None:
        if not behind:
            self._behind_since = None
            OUTBOX_AGE.set(0)
            OUTBOX_PENDING.set(0)
            return
        self._behind_since = self._behind_since or monotonic()
        OUTBOX_AGE.set(monotonic() - self._behind_since)

    async def _tidy(self, connection: asyncpg.Connection, position: int) -> None:
        """Note how far we are, and delete what is published: only up to the position that Kafka has committed."""
        await connection.execute(
            "INSERT INTO relay_hint (shard, published_id) VALUES (0, $1) ON CONFLICT (shard) DO UPDATE "
            "SET published_id = greatest(relay_hint.published_id, excluded.published_id)",
            position,
        )
        await connection.execute("DELETE FROM outbox WHERE id <= $1", position)
        highest = await connection.fetchval("SELECT max(id) FROM outbox")
        OUTBOX_PENDING.set(max(0, (highest or position) - position))
        if monotonic() - self._marks_swept_at > MARKS_SECONDS:
            # No command asks after its commit for as long as a day.
            self._marks_swept_at = monotonic()
            await connection.execute(
                "DELETE FROM commit_marks WHERE marked_at < clock_timestamp() - interval '1 day'"
            )

    async def _reconcile(self, connection: asyncpg.Connection, position: int) -> int:
        """Compare what Kafka says with what the database knows; they differ only after a loss or a restore."""
        hint = await connection.fetchval("SELECT published_id FROM relay_hint WHERE shard = 0") or 0
        if hint > position:
            log.error(
                "the relay's position topic has lost records: going on from the database's own note",
                position=position,
                hint=hint,
            )
            position = hint
        highest = await connection.fetchval("SELECT last_value FROM outbox_id_seq")
        if position > highest:
            # The database was restored to an earlier time. New rows would get ids that count as published and would
            # never go out.
            log.error(
                "the outbox is older than what is published: its numbering is lifted", position=position
            )
            await connection.execute("SELECT setval('outbox_id_seq', $1)", position)
        return int(position)

    async def _in_thread(self, connection: asyncpg.Connection, call: Any, *arguments: Any) -> Any:
        """Run a blocking call, and keep the lock's session awake meanwhile."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
        try:
            while True:
                done, _ = await asyncio.wait({running}, timeout=self._lease / 3)
                if done:
                    return running.result()
                await connection.execute("SELECT 1")
        finally:
            if not running.done():
                # The session is gone while Kafka still works: the call must end before anything is built anew.
                await asyncio.wait({running})

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
