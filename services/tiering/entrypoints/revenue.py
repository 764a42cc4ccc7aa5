"""Tells revenue in the background: at once when things are quiet, seldom and in small pieces while much is booked."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from services.tiering.adapters.revenue_store import SPAN, due_years, untold
from services.tiering.handlers.tell_revenue import AT_ONCE, TellRevenue
from shared.messaging import faults
from shared.messaging.failures import Backoff, Kind, classify
from shared.messaging.metrics import FAILURES
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

LOOK_SECONDS: Final = 0.5
"""How long to wait for a sign of something booked; another instance's bookings give none."""
BREATH_SECONDS: Final = 0.1
CALM_REST_SECONDS: Final = 0.2
HEAVY_REST_SECONDS: Final = 5.0
HEAVY: Final = 2000
"""So many bookings within the window make heavy work, during which telling must not cost throughput."""
WINDOW_SECONDS: Final = 4.0
TASK: Final = "revenue"
BOOKING: Final = "booking {}"
YEAR: Final = "year {0} {1}"
"""How faults name what was given up: a booking of the ledger by its number, a year by account and year."""
QUIET_SECONDS: Final = 1.0
LOST_SECONDS: Final = 20.0
"""A unit of work that began so long ago has failed, or will be seen by what it has booked."""


class Signs:
    """Signs in this process of work on the ledger: that some is going on, and, to be waited for, that some was done."""

    def __init__(self) -> None:
        self.booked = asyncio.Event()
        self._began = float("-inf")

    def begin(self, work: Work) -> None:
        """A unit of work touches the ledger."""
        self._began = time.monotonic()
        work.after_commit(self._end)

    def _end(self) -> None:
        self._began = float("-inf")
        self.booked.set()

    @property
    def at_work(self) -> bool:
        return time.monotonic() - self._began < LOST_SECONDS


@dataclass
class Pace:
    """When to tell. `cost` is how long the last telling took, `full` that it left something over: then more changes than
    can be told in passing. Telling takes a tenth of the time at most, and a twentieth under heavy work; once nothing more
    is booked it takes all it needs."""

    told_at: float = float("-inf")
    cost: float = 0.0
    full: bool = False
    _looks: deque[tuple[float, int]] = field(default_factory=deque)
    _moved_at: float = float("-inf")

    def look(self, now: float, head: int, at_work: bool = False) -> bool:
        """Whether to tell now. `now` in seconds of a clock that never goes back, `head` the last booking's number."""
        moved = at_work or (bool(self._looks) and head != self._looks[-1][1])
        if moved:
            self._moved_at = now
        self._looks.append((now, head))
        while self._looks[0][0] < now - WINDOW_SECONDS and len(self._looks) > 1:
            self._looks.popleft()
        heavy = head - self._looks[0][1] > HEAVY
        if not moved and not (heavy and now - self._moved_at < QUIET_SECONDS):
            return True
        calm, dear = max(CALM_REST_SECONDS, 9 * self.cost), max(HEAVY_REST_SECONDS, 20 * self.cost)
        return now - self.told_at >= (dear if heavy or self.full else calm)

    def told(self, began: float, ended: float, full: bool = False) -> None:
        self.told_at, self.cost, self.full = ended, ended - began, full


async def tell_revenue(unit_of_work: UnitOfWork, handler: TellRevenue, signs: Signs) -> None:
    """Endless, in a task of its own."""
    backoff, pace = Backoff(), Pace()
    pending = quiet = False
    while True:
        if pending:
            # With more to tell and nobody booking, only let others have their turn.
            await asyncio.sleep(0 if quiet else BREATH_SECONDS)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(signs.booked.wait(), LOOK_SECONDS)
        signs.booked.clear()
        try:
            async with unit_of_work.engine.connect() as connection:
                state = await untold(connection)
                again = await faults.due_again(connection, TASK)
            if again:
                await tell_again(unit_of_work, handler, again)
            pending, quiet = state.pending, False
            began = time.monotonic()
            if pace.look(began, state.head, signs.at_work) and pending:
                told = await tell_once(unit_of_work, handler)
                pace.told(began, time.monotonic(), full=told == AT_ONCE)
                quiet = told > 0
            backoff.reset()
        except Exception as error:
            if classify(error) is not Kind.TRANSIENT:
                raise
            await asyncio.sleep(backoff.next())


async def tell_once(unit_of_work: UnitOfWork, handler: TellRevenue) -> int:
    """One unit of work's telling; how many years. Where it fails by a fault of ours it is done piece by piece, and what
    fails by itself is given up: a booking, whose year is then not known to have changed, or a year."""
    try:
        async with unit_of_work.begin() as work:
            return await handler.tell(work)
    except Exception as error:
        if classify(error) is Kind.TRANSIENT:
            raise
        FAILURES.labels(TASK, Kind.BUG.value).inc()
    async with unit_of_work.engine.connect() as connection:
        state = await untold(connection)
    await faults.isolate(
        unit_of_work,
        TASK,
        range(state.told + 1, min(state.head, state.told + SPAN) + 1),
        handler.gather,
        name=BOOKING.format,
        set_aside=handler.skip,
    )
    async with unit_of_work.engine.connect() as connection:
        due = await due_years(connection, AT_ONCE)
    lost = await faults.isolate(
        unit_of_work,
        TASK,
        due,
        handler.tell_these,
        name=lambda one: YEAR.format(*one),
        set_aside=handler.drop,
    )
    return len(due) - lost


async def tell_again(unit_of_work: UnitOfWork, handler: TellRevenue, items: Sequence[str]) -> None:
    """Try once more what was given up."""

    async def one(work: Work, named: Sequence[str]) -> None:
        for item in named:
            kind, *numbers = item.split()
            if kind == BOOKING.split()[0]:
                await handler.note(work, int(numbers[0]))
            else:
                await handler.tell_these(work, [(int(numbers[0]), int(numbers[1]))])

    for item in items:
        await faults.isolate(unit_of_work, TASK, [item], one)
