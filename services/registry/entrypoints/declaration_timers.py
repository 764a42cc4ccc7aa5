"""What moves declarations without anybody's command: timers, each looking at the limit that runs now, and a changed
organisation."""

from __future__ import annotations

from services.registry.entrypoints.declaration_desk import Desks
from services.registry.handlers.declaration_limits import (
    BREACH,
    PRE_REVIEW_OVERDUE,
    WARNING,
    look_at_limit,
)
from services.registry.handlers.follow_units import follow_units
from shared.messaging.timers import Timer, TimerHandler
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work


def handlers(desks: Desks) -> dict[str, TimerHandler]:
    """The handlers by the kind of timer."""

    async def look(work: Work, timer: Timer) -> None:
        await look_at_limit(timer.payload["declaration_id"], timer.due_at, await desks.open(work))

    return {WARNING: look, BREACH: look, PRE_REVIEW_OVERDUE: look}


async def follow_organisation(unit_of_work: UnitOfWork, desks: Desks) -> None:
    """Once the organisation is loaded."""
    async with unit_of_work.begin() as work:
        await follow_units(await desks.open(work))
