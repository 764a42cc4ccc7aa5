"""Timers: instants in the database at which something falls due; firing and effect are one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

from shared.clock import monotonic
from shared.failpoints import failpoint
from shared.messaging import faults
from shared.messaging.failures import Backoff, Kind, classify, describe
from shared.messaging.metrics import FAILURES, TIMERS_FIRED, TIMERS_OVERDUE
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

log = structlog.get_logger(__name__)

FIRING_LOCK: Final = 7_305_002
BATCH: Final = 50
TASK: Final = "timers"
"""What faults of timers are noted under."""


class Timer(NamedTuple):
    """A due instant of one subject: a timer is (kind, subject, due_at), and scheduling it twice is scheduling it
    once."""

    id: int
    kind: str
    subject: str
    due_at: datetime
    payload: dict[str, Any]


TimerHandler = Callable[[Work, Timer], Awaitable[None]]


async def schedule(
    work: Work, kind: str, subject: str, due_at: datetime, payload: Mapping[str, Any] | None = None
) -> None:
    """Have `kind` fire for `subject` at `due_at`; an instant in the past fires at once."""
    await schedule_all(work, kind, [(subject, due_at, payload or {})])


async def schedule_all(
    work: Work, kind: str, timers: Sequence[tuple[str, datetime, Mapping[str, Any]]]
) -> None:
    """The same for many subjects at once: (subject, due_at, payload) each."""
    if not timers:
        return
    await work.connection.execute(
        text(
            "INSERT INTO timers (kind, subject, due_at, payload) "
            "VALUES (:kind, :subject, :due_at, CAST(:payload AS jsonb)) ON CONFLICT DO NOTHING"
        ),
        [
            {
                "kind": kind,
                "subject": subject,
                "due_at": due_at,
                "payload": orjson.dumps(dict(payload)).decode(),
            }
            for subject, due_at, payload in timers
        ],
    )


async def cancel(work: Work, kind: str, subject: str) -> int:
    """Remove what has not fired; returns how many. One that is firing at this moment in another transaction is waited
    for, and then no longer there to be cancelled: look at the effect, not at this number."""
    done = await work.connection.execute(
        text(
            "DELETE FROM timers WHERE kind = :kind AND subject = :subject AND fired_at IS NULL RETURNING id"
        ),
        {"kind": kind, "subject": subject},
    )
    gone = list(done.scalars())
    if gone:
        await faults.done(work, TASK, [_item(number, kind, subject) for number in gone])
    return len(gone)


async def due(connection: AsyncConnection, now: datetime) -> tuple[int, datetime | None]:
    """How many are due, and the next instant at which one falls due (that of a due one included). Nobody waits for those
    that were given up: they are faults."""
    row = (await connection.execute(_DUE, {"now": now})).one()
    return int(row.due), row.next


_GIVEN_UP = (
    "EXISTS (SELECT FROM faults f WHERE f.task = 'timers' AND f.item = t.kind || '|' || t.subject || '|' || t.id "
    "AND f.retry_at > clock_timestamp())"
)
_DUE = text(
    "SELECT count(*) FILTER (WHERE due_at <= :now) AS due, min(due_at) AS next FROM timers t "
    f"WHERE fired_at IS NULL AND NOT (due_at <= :now AND {_GIVEN_UP})"
)
_LOCK = text(f"SELECT pg_try_advisory_xact_lock({FIRING_LOCK})")
_CLAIM = text(
    f"""
    SELECT id, kind, subject, due_at, payload FROM timers t
    WHERE fired_at IS NULL AND due_at <= :now AND subject <> ALL(:resting) AND NOT {_GIVEN_UP}
    ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
    """
).bindparams(bindparam("resting", type_=ARRAY(Text)))
_FIRED = text("UPDATE timers SET fired_at = :now WHERE id = :id")


@dataclass(slots=True)
class _Rest:
    """A subject whose next timer fails."""

    tries: int = 0
    until: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 60.0))


def _item(number: int, kind: str, subject: str) -> str:
    """A timer as its fault names it."""
    return f"{kind}|{subject}|{number}"


class TimerLoop:
    """Fires what is due, in due order, over all instances of a service.

    A handler that fails (a fault of ours) rests its subject with a growing pause; the timers of other subjects go on, and
    those of the same subject keep their order behind it. After three tries the timer is given up as a fault
    (`shared.messaging.faults`), which is tried again later, and its subject goes on without it.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        handlers: Mapping[str, TimerHandler],
        *,
        poll_seconds: float = 0.5,
        clock_jumps: bool = False,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._handlers = dict(handlers)
        self._poll = poll_seconds
        self._clock_jumps = clock_jumps
        self._resting: dict[str, _Rest] = {}
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self.last_error: str | None = None

    def wake(self) -> None:
        """Look now; a hint after scheduling something that is due soon."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def healthy(self) -> str | None:
        """None, or why it is not well."""
        return self.last_error

    async def run(self) -> None:
        """Until `stop`; whatever fails is logged, counted and tried again."""
        backoff = Backoff()
        while not self._stopping.is_set():
            pause = self._poll
            try:
                while not self._stopping.is_set() and await self._fire_due():
                    pass
                backoff.reset()
                self.last_error = None if not self._resting else "timers are failing"
            except Exception as error:
                self._count(error)
                pause = backoff.next()
                self.last_error = describe(error)
            self._wake.clear()
            if not self._stopping.is_set():
                await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Wait for a wake-up or the end of the pause. A sandbox's clock jumps without a word, so it is looked at twenty
        times a second there; the database is asked only after it has jumped."""
        clock = self._unit_of_work.clock
        seen, end = clock.now(), monotonic() + seconds
        while (left := end - monotonic()) > 0:
            try:
                await asyncio.wait_for(self._wake.wait(), min(left, 0.05) if self._clock_jumps else left)
                return
            except TimeoutError:
                if self._clock_jumps and clock.now() != seen:
                    return

    def _count(self, error: Exception) -> None:
        FAILURES.labels("timers", classify(error).value).inc()
        log.warning("timers cannot go on", error=describe(error), kind=classify(error).value)

    async def _fire_due(self) -> bool:
        """Fire one transaction's worth; True when there may be more."""
        try:
            return await self._fire(BATCH) == BATCH
        except Exception as error:
            if classify(error) is Kind.TRANSIENT:
                raise
        # One of them has failed and taken the whole transaction back: one by one, to find out which.
        for _ in range(BATCH):
            if await self._fire(1) == 0:
                return False
        return True

    async def _fire(self, limit: int) -> int:
        resting = [subject for subject, rest in self._resting.items() if rest.until > monotonic()]
        current: Timer | None = None
        try:
            async with self._unit_of_work.begin() as work:
                # Two instances firing side by side would fire a later timer before an earlier one has committed.
                if not (await work.connection.execute(_LOCK)).scalar_one():
                    return 0
                claimed = await work.connection.execute(
                    _CLAIM, {"now": work.now, "resting": resting, "limit": limit}
                )
                timers = [Timer(*row) for row in claimed]
                TIMERS_OVERDUE.set(len(timers))
                if timers:
                    await failpoint("timer_after_claim")
                for current in timers:
                    await self._handlers[current.kind](work, current)
                    await work.connection.execute(_FIRED, {"now": work.now, "id": current.id})
                if timers:
                    await faults.done(
                        work, TASK, [_item(timer.id, timer.kind, timer.subject) for timer in timers]
                    )
        except Exception as error:
            if classify(error) is Kind.BUG and limit == 1 and current is not None:
                await self._rest(current, error)
                return 1
            raise
        for timer in timers:
            TIMERS_FIRED.labels(timer.kind).inc()
            self._resting.pop(timer.subject, None)
        return len(timers)

    async def _rest(self, timer: Timer, error: Exception) -> None:
        FAILURES.labels(TASK, Kind.BUG.value).inc()
        rest = self._resting.setdefault(timer.subject, _Rest())
        rest.tries += 1
        rest.until = monotonic() + rest.backoff.next()
        log.error(
            "a timer fails and will be tried again", kind=timer.kind, timer=timer.id, error=describe(error)
        )
        if rest.tries >= faults.ATTEMPTS:
            async with self._unit_of_work.begin() as work:
                await faults.give_up(work, TASK, _item(timer.id, timer.kind, timer.subject), error)
            del self._resting[timer.subject]
