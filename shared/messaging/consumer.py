"""A consumer: FastStream's batch subscriber in front, positions in our own database behind.

The defaults of the framework acknowledge before handling, begin at the end of a topic, create topics and answer to
whatever address a producer wrote into `reply_to`. Each is overridden here, in one place, and nothing is ever
committed to Kafka: where reading goes on is decided by the table `positions` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER

from shared.clock import monotonic
from shared.messaging import positions
from shared.messaging.batches import BatchHandler, BatchProcessor, StalledError, StoppedError
from shared.messaging.failures import Backoff, SupersededError, classify, describe
from shared.messaging.fetching import OwnedConsumer
from shared.messaging.kafka import KafkaAccess
from shared.messaging.metrics import DROPPED, LAG_RECORDS, LAG_SECONDS, STALLED
from shared.messaging.positions import Move, Place
from shared.messaging.records import Record, known
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.unpacking import UNPACKED_BYTES

log = structlog.get_logger(__name__)

PARTITION_BYTES: Final = 2 * 1024 * 1024
FETCH_BYTES: Final = 16 * 1024 * 1024
"""What one fetch brings at most, still packed. With `max_records` and the limits of `shared.messaging.fetching` on what is
unpacked it bounds what is in hand: a backlog of any size is read in such bites, and while the database is slow nothing
more is fetched."""
LOOK_SECONDS: Final = 1.0
"""How often a consumer looks whether a person has rewound it."""
SESSION_MS: Final = 10_000
NEVER_MS: Final = 2_000_000_000
STANDING_SECONDS: Final = 60.0
"""A partition that has work and has not moved for so long makes the consumer unwell, whatever the others do."""


class BatchConsumer:
    """Reads topics as the group `<service>.<name>` and hands batches to the handler, each with effect once."""

    def __init__(
        self,
        service: str,
        kafka: KafkaAccess,
        *,
        name: str,
        topics: tuple[str, ...],
        handler: BatchHandler,
        unit_of_work: UnitOfWork,
        instance: int = 0,
        max_records: int = 500,
        fetch_wait_ms: int = 100,
        session_timeout_ms: int = SESSION_MS,
        unpacked_bytes: int = UNPACKED_BYTES,
        standing_seconds: float = STANDING_SECONDS,
    ) -> None:
        if not 1 <= max_records <= 10_000:
            raise ValueError("max_records lies between 1 and 10 000")
        self.name = name
        self.group = f"{service}.{name}"
        self.topics = topics
        self._service = service
        self._kafka = kafka
        self._handler = handler
        self._unit_of_work = unit_of_work
        self._instance = f"{service}-{name}-{instance}"
        self._max_records = max_records
        self._fetch_wait_ms = fetch_wait_ms
        self._session_timeout_ms = session_timeout_ms
        self._unpacked_bytes = unpacked_bytes
        self._standing_seconds = standing_seconds
        self._stopping = asyncio.Event()
        self._processor = BatchProcessor(self.group, handler, unit_of_work, self._stopping)
        self._broker: KafkaBroker | None = None
        self._consumer: OwnedConsumer | None = None
        self._starting: asyncio.Task[None] | None = None
        self._expected: dict[Place, int] = {}
        self._assigned: set[Place] = set()
        self._discard_first = False
        self._looked = 0.0
        self._reason: str | None = "not started"
        self._unknown_position: str | None = None
        self._stalled: str | None = None
        self._in_hand = False
        self._standing: str | None = None
        self._moved: dict[Place, tuple[int, float]] = {}
        """The position of each partition when it was last looked at, and since when it has had work without moving."""

    # -- life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin in the background; a broker that is away is waited for."""
        self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                await self._connect()
                self._reason = None
                return
            except Exception as error:
                self._reason = "the broker is away"
                log.warning("a consumer cannot start yet", consumer=self.group, error=describe(error))
                await self._disconnect()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), backoff.next())

    async def _connect(self) -> None:
        broker = KafkaBroker(
            self._kafka.bootstrap,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=30.0,
            logger=logging.getLogger("faststream.kafka"),
            log_level=logging.DEBUG,
        )
        self._broker = broker
        subscriber = broker.subscriber(
            *self.topics,
            batch=True,
            group_id=self.group,
            # A process that comes back under the same name takes its partitions over at once, instead of waiting for
            # the session of its dead predecessor to run out (0.5 s in place of 10 s). It also means that nobody leaves
            # the group at a clean stop: a restart moves no partition.
            group_instance_id=self._instance,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            auto_offset_reset="earliest",
            # The relay of another service may have aborted transactions; their records never happened.
            isolation_level="read_committed",
            parser=_whole_batch,
            decoder=_as_it_is,
            listener=_Listener(self),
            max_records=self._max_records,
            batch_timeout_ms=1,
            fetch_max_wait_ms=self._fetch_wait_ms,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_BYTES,
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=self._session_timeout_ms // 4,
            # While the database is away for an hour we hold a batch and do not poll. The heartbeats go on by
            # themselves, so leaving the group for slowness would only start a storm of rebalances.
            max_poll_interval_ms=NEVER_MS,
        )
        subscriber(self._handle)
        await broker.connect()
        broker.config.broker_config.builder = partial(
            OwnedConsumer,
            owner=self,
            unpacked_bytes=self._unpacked_bytes,
            enable_auto_commit=False,
            **self._kafka.aiokafka(),
        )
        await broker.start()

    async def stop(self) -> None:
        """Finish the batch in hand or leave it undone, and close; a passing fault is not waited out any longer."""
        self._stopping.set()
        if self._starting is not None:
            # A connection attempt into the void can outlast every patience with a stopping process.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._starting, 5)
        await self._disconnect()
        self._reason = "stopped"

    async def _disconnect(self) -> None:
        broker, self._broker, self._consumer = self._broker, None, None
        if broker is not None:
            with contextlib.suppress(Exception):
                await broker.stop()

    # -- what others may ask --------------------------------------------------------------------------------------

    def healthy(self) -> str | None:
        """None, or in a few words why this consumer is not well."""
        waiting = self._processor.waiting_for
        return (
            self._reason
            or self._unknown_position
            or self._stalled
            or self._standing
            or (None if waiting is None else f"waiting: {waiting}")
        )

    async def stuck_seconds(self) -> float:
        """For how long there has been work, nothing known to wait for, and yet no progress in any partition. Notes by the
        way a single partition that stands still."""
        consumer = self._consumer
        seen = dict(self._expected)
        known_reason = self._reason or self._unknown_position or self._stalled or self._processor.waiting_for
        if consumer is None or known_reason is not None or not seen:
            self._moved, self._standing = {}, None
            return 0.0
        if consumer.fetching_has_ended():
            return float("inf")
        try:
            ends = await asyncio.wait_for(consumer.end_offsets([TopicPartition(*at) for at in seen]), 10)
        except Exception:
            # The broker is away: there is nothing that this process could do better after a restart.
            self._moved, self._standing = {}, None
            return 0.0
        now = monotonic()
        self._moved = {
            place: self._moved[place]
            if offset < ends[TopicPartition(*place)] and self._moved.get(place, (-1, 0.0))[0] == offset
            else (offset, now)
            for place, offset in seen.items()
        }
        self._note_standing(now, {place for place in seen if ends[TopicPartition(*place)] > seen[place]})
        return now - max(since for _, since in self._moved.values())

    def _note_standing(self, now: float, with_work: set[Place]) -> None:
        standing = sorted(
            place for place in with_work if now - self._moved[place][1] > self._standing_seconds
        )
        before, self._standing = (
            self._standing,
            f"{standing[0].topic}/{standing[0].partition} stands still" if standing else None,
        )
        if self._standing is None and before is not None:
            STALLED.labels(self.group).set(0)
        if self._standing is not None and before is None:
            STALLED.labels(self.group).set(1)
            log.error("a partition stands still", consumer=self.group, **standing[0]._asdict())

    # -- called by the fetching side, in the task that handles the batches ------------------------------------------

    def attached(self, consumer: OwnedConsumer) -> None:
        self._consumer = consumer

    async def before_fetch(self) -> None:
        """Know where to read before reading: seek what is newly assigned, and notice a rewinding."""
        if self._in_hand:
            # The framework swallows errors on its way to us. A batch that was fetched and never handled would be
            # skipped in silence, for the next one moves the position past it.
            log.error("a fetched batch did not reach its handler and is read again", consumer=self.group)
            self._in_hand = False
            self._forget()
        while not self._stopping.is_set():
            unknown = self._assigned - self._expected.keys()
            if not unknown and monotonic() - self._looked < LOOK_SECONDS:
                return
            try:
                self._unknown_position = await self._look(unknown)
            except Exception as error:
                if not unknown:
                    return
                if self._unknown_position is None:
                    log.warning("positions cannot be read", consumer=self.group, error=describe(error))
                self._unknown_position = f"positions cannot be read: {describe(error)}"
            if self._unknown_position is None:
                return
            await self._pause(0.5)

    async def _look(self, unknown: set[Place]) -> str | None:
        """Seek every partition whose stored position is not the expected one; a reason where that makes no
        sense."""
        consumer = self._consumer
        if consumer is None or not self._assigned:
            return None
        async with self._unit_of_work.engine.connect() as connection:
            stored = await positions.load(connection, self.group)
        if unknown:
            reason = await self._compare_with_log(consumer, unknown, stored)
            if reason is not None:
                return reason
        for place in sorted(self._assigned):
            offset = stored.get(place)
            if offset is not None and offset != self._expected.get(place):
                self._seek(consumer, place, offset)
        self._looked = monotonic()
        return None

    async def _compare_with_log(
        self, consumer: OwnedConsumer, unknown: set[Place], stored: dict[Place, int]
    ) -> str | None:
        partitions = [TopicPartition(*place) for place in sorted(unknown)]
        first = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        # A partition never read before begins at the beginning, and that is stored at once, so that from now
        # on there is always something to compare with.
        fresh = {Place(*at): first[at] for at in partitions if Place(*at) not in stored}
        if fresh:
            async with self._unit_of_work.begin() as work:
                await positions.start_at(work.connection, self.group, fresh)
            stored |= fresh
        for at in partitions:
            place = Place(*at)
            if stored[place] < first[at]:
                log.error(
                    "records expired before they were read",
                    consumer=self.group,
                    lost=first[at] - stored[place],
                    **place._asdict(),
                )
            if stored[place] > ends[at]:
                # The topic was made anew or the broker lost its data. Reading from the beginning would take what
                # is there for new, and skipping would lose it: a person decides, by rewinding.
                log.error(
                    "the position lies behind the end of the log", consumer=self.group, **place._asdict()
                )
                return f"the position of {place.topic}/{place.partition} lies behind the end of the log"
        return None

    def _seek(self, consumer: OwnedConsumer, place: Place, offset: int) -> None:
        at = TopicPartition(*place)
        if at not in consumer.assignment():
            # Revoked meanwhile: the next assignment looks again.
            return
        self._discard_first = self._discard_first or place in self._expected
        self._expected[place] = offset
        consumer.seek(at, offset)
        consumer.resume(at)

    def fetched(self) -> None:
        self._in_hand = True

    def fetch_failed(self) -> None:
        # Records of other partitions may have been taken out and dropped by the failing call.
        self._forget()

    async def nothing_fetched(self) -> None:
        """At rest: take note of positions that moved without records. Behind the last record of a transaction lies
        its marker, and a reader who compares positions with the ends of topics would wait for ever."""
        expected = self._expected
        try:
            moves = await self._moves_at_rest(expected)
            if not moves:
                return
            async with self._unit_of_work.begin() as work:
                await positions.advance(work.connection, self.group, moves)
        except SupersededError:
            self._forget()
        except Exception as error:
            # Partitions that are just being taken away, or the database: there is always a next time.
            log.debug("positions at rest were not stored", consumer=self.group, error=describe(error))
        else:
            for move in moves:
                expected[move.place] = move.following

    async def _moves_at_rest(self, expected: dict[Place, int]) -> list[Move]:
        consumer = self._consumer
        if consumer is None:
            return []
        self._note_lag(consumer, expected)
        moves = []
        for place in sorted(expected):
            at = TopicPartition(*place)
            if at in consumer.assignment():
                reached = await consumer.position(at)
                if reached > expected[place]:
                    moves.append(Move(place, expected[place], reached))
        return moves

    def _note_lag(self, consumer: OwnedConsumer, expected: dict[Place, int]) -> None:
        assigned = consumer.assignment()
        for place, offset in expected.items():
            at = TopicPartition(*place)
            if at in assigned:
                lag = max(0, (consumer.highwater(at) or 0) - offset)
                LAG_RECORDS.labels(self.group, place.topic, str(place.partition)).set(lag)

    # -- the batch --------------------------------------------------------------------------------------------------

    async def _handle(self, raw: Sequence[Any]) -> None:
        expected = self._expected
        done = False
        try:
            records = known(raw, expected)
            if self._discard_first:
                self._discard_first = False
                self._handler.discard()
            if records:
                await self._processor.process(records, expected)
                self._stalled = None
                STALLED.labels(self.group).set(0)
                self._observe(records[-1])
            done = len(records) == len(raw)
        except SupersededError:
            DROPPED.labels(self.group).inc()
            log.info("a batch was dropped: its positions have moved", consumer=self.group)
        except StalledError as stalled:
            self._stalled = f"every record fails: {stalled}"
            # Reading again after the pause brings newer records as well, and one good one among them shows that the
            # fault does not hit everything.
            await self._pause(2.0)
        except StoppedError:
            pass
        except Exception as error:
            self._stalled = f"a batch cannot be handled: {describe(error)}"
            STALLED.labels(self.group).set(1)
            log.error(
                "a batch was not handled",
                consumer=self.group,
                kind=classify(error).value,
                error=describe(error),
            )
            await self._pause(0.5)
        finally:
            self._in_hand = False
            if not done:
                # Whatever was not handled must be read again: aiokafka's own position is already past it.
                self._forget()

    def _forget(self) -> None:
        """Start over from what is stored; in-memory state goes with it."""
        # A new dictionary: a batch that still runs keeps writing into the old one.
        self._expected = {}
        self._discard_first = True

    def _observe(self, last: Record) -> None:
        age = self._unit_of_work.clock.now().timestamp() - last.timestamp_ms / 1000
        LAG_SECONDS.labels(self.group).set(max(0.0, age))
        if self._consumer is not None:
            self._note_lag(self._consumer, self._expected)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    # -- rebalance; called in the coordinator's task, possibly in the middle of a batch -------------------------------

    def revoked(self) -> None:
        """State in memory is dropped before the next batch, not here: the handler may be at work. What it has in hand
        commits only if nobody else has moved the positions by then."""
        self._assigned = set()
        self._stalled = None
        self._forget()

    def assigned(self, places: Iterable[Place]) -> None:
        self._assigned = set(places)
        self._forget()
        if self._consumer is not None:
            # Nothing is fetched until the stored positions are known. They are not read here: with the database away
            # this call would outlast the session, and the group would throw us out and begin again.
            self._consumer.pause(*(TopicPartition(*place) for place in self._assigned))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Coroutines, although nothing is awaited: FastStream calls a plain function in a thread of its own, where pausing
    partitions fails and kills aiokafka's fetching task."""

    def __init__(self, owner: BatchConsumer) -> None:
        self._owner = owner

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._owner.revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._owner.assigned(Place(at.topic, at.partition) for at in assigned)


async def _whole_batch(messages: tuple[Any, ...]) -> Any:
    """FastStream's own parser decodes header values as UTF-8 and loses the whole batch over one that is not, and it
    makes an empty value of a null one. This one reads nothing, so nothing can go wrong; `reply_to` stays empty,
    because the header of that name would send our answer wherever a producer likes."""
    return KafkaMessage(
        raw_message=messages, body=b"", headers={}, batch_headers=[], reply_to="", consumer=FAKE_CONSUMER
    )


async def _as_it_is(message: Any) -> Any:
    return message.raw_message
