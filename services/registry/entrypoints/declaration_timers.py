"""Timers of declarations: each looks at the limit that runs now."""

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
from shared.clock import business_date
from shared.messaging.timers import Timer, TimerHandler
from shared.messaging.work import Work


def handlers(limits: TimeLimits, default_unit: str) -> dict[str, TimerHandler]:
    """The handlers by the kind of timer."""

    async def look(work: Work, timer: Timer) -> None:
        await look_at_limit(
            timer.payload["declaration_id"], timer.due_at, await desk_of(work, limits, default_unit)
        )

    return {WARNING: look, BREACH: look, PRE_REVIEW_OVERDUE: look}


async def desk_of(work: Work, limits: TimeLimits, default_unit: str) -> Desk:
    """What a command or timer works with inside this transaction."""
    units = (await PostgresOrganisations(work).load()).units
    terms = Terms(units, limits, default_unit, business_date(work.now))
    return Desk(work.now, terms, PostgresDeclarations(work), publisher(work))
