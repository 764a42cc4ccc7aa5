"""What falls due in tiering: the automatic close of a year (TIE-9) and the end of a reversal's wait (TIE-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from services.tiering.domain.entries import HeldTransaction
from services.tiering.handlers.close_year import CloseYear
from services.tiering.handlers.decide_suspense import DecideSuspense
from services.tiering.settings import TieringSettings
from shared.clock import SHANGHAI, business_date
from shared.messaging import timers
from shared.messaging.timers import Timer, TimerHandler
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

YEAR_CLOSE: Final = "year_close"
REVERSAL_WAIT: Final = "reversal_wait"


@dataclass(frozen=True)
class ReversalWaits:
    """How long a reversal waits for its sale, from its own arrival (TIE-4)."""

    days: int

    async def start(self, work: Work, held: HeldTransaction) -> None:
        """Start the timer of one."""
        due_at = held.arrived.arrived_at + timedelta(days=self.days)
        await timers.schedule(work, REVERSAL_WAIT, str(held.number), due_at)


class TieringTimers:
    """Starts the timer of the year and handles those of tiering."""

    def __init__(self, settings: TieringSettings, closes: CloseYear, suspense: DecideSuspense) -> None:
        self._settings = settings
        self._closes = closes
        self._suspense = suspense

    @property
    def handlers(self) -> dict[str, TimerHandler]:
        return {YEAR_CLOSE: self._close_year, REVERSAL_WAIT: self._end_waiting}

    def close_of(self, year: int) -> datetime:
        """When a year closes by itself."""
        return datetime(
            year + 1, self._settings.year_close_month, self._settings.year_close_day, tzinfo=SHANGHAI
        )

    async def start(self, unit_of_work: UnitOfWork) -> None:
        """On the very first start: the timer covers the year of that day and, one after the other, all later ones."""
        async with unit_of_work.begin() as work:
            known = await work.connection.scalar(
                text("SELECT EXISTS (SELECT FROM timers WHERE kind = :kind)"), {"kind": YEAR_CLOSE}
            )
            if not known:
                await self._schedule(work, business_date(work.now).year)

    async def _schedule(self, work: Work, year: int) -> None:
        await timers.schedule(work, YEAR_CLOSE, str(year), self.close_of(year))

    async def _close_year(self, work: Work, timer: Timer) -> None:
        year = int(timer.subject)
        await self._closes.request_all_through(work, year, "system")
        await self._schedule(work, year + 1)

    async def _end_waiting(self, work: Work, timer: Timer) -> None:
        await self._suspense.end_waiting(work, int(timer.subject))
