"""What falls due by itself."""

from __future__ import annotations

from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.handlers.end_agreement import KIND, end_agreement
from shared.clock import business_date
from shared.messaging.timers import Timer, TimerHandler
from shared.messaging.work import Work


async def _agreement_end(work: Work, timer: Timer) -> None:
    await end_agreement(
        timer.payload["customer_code"],
        timer.payload["agreement_no"],
        now=work.now,
        today=business_date(work.now),
        customers=PostgresCustomers(work),
        organisations=PostgresOrganisations(work),
        publish=publisher(work),
    )


HANDLERS: dict[str, TimerHandler] = {KIND: _agreement_end}
