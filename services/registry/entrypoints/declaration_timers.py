"""What moves declarations without anybody's command: timers, each looking at the limit that runs now, and a changed
organisation."""

from __future__ import annotations

from services.registry.adapters.declarations import PostgresDeclarations
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.domain.declarations import Terms
from services.registry.domain.time_limits import TimeLimits
from services.registry.handlers.declaration_limits import (
    BREACH,
    PRE_REVIEW_OVERDUE,
    WARNING,
    look_at_limit,
)
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.follow_units import follow_units
from shared.clock import business_date
from shared.messaging.timers import Timer, TimerHandler
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work


def handlers(limits: TimeLimits, default_unit: str) -> dict[str, TimerHandler]:
    """The handlers by the kind of timer."""

    async def look(work: Work, timer: Timer) -> None:
        await look_at_limit(
            timer.payload["declaration_id"], timer.due_at, await desk_of(work, limits, default_unit)
        )

    return {WARNING: look, BREACH: look, PRE_REVIEW_OVERDUE: look}


async def follow_organisation(unit_of_work: UnitOfWork, limits: TimeLimits, default_unit: str) -> None:
    """Once the organisation is loaded."""
    async with unit_of_work.begin() as work:
        await follow_units(await desk_of(work, limits, default_unit))


async def desk_of(work: Work, limits: TimeLimits, default_unit: str) -> Desk:
    """What a command or timer works with inside this transaction."""
    units = (await PostgresOrganisations(work).load()).units
    terms = Terms(units, limits, default_unit, business_date(work.now))
    return Desk(work.now, terms, PostgresDeclarations(work), publisher(work))
