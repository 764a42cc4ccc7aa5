"""Timer `agreement_end`: the last day of an agreement is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Final

from services.registry.domain.agreements import expire
from services.registry.domain.customers import agreement_facts
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import Customers, Organisations, Publish

KIND: Final = "agreement_end"
BY: Final = "service:registry"


async def end_agreement(
    customer_code: str,
    agreement_no: str,
    *,
    now: datetime,
    today: date,
    customers: Customers,
    organisations: Organisations,
    publish: Publish,
) -> bool:
    """Ends the agreement if its last day has indeed passed; False where there is nothing to end.

    An agreement that was prolonged or ended since the timer was set has another one or needs none, so that a timer never
    acts on what it was set for but on what is in force now.
    """
    customer = await customers.locked(customer_code)
    agreement = None if customer is None else customer.agreement(agreement_no)
    if customer is None or agreement is None:
        return False
    ended = expire(agreement, today)
    if ended == agreement:
        return False
    after = replace(customer, version=customer.version + 1, agreements=customer.with_agreement(ended))
    units = await organisations.units([customer.unit_code])
    await customers.store(after, units, BY)
    await customers.note_agreement(after.code, ended, "ended", BY, None)
    publish_customer(publish, after, agreement_facts(customer, after), units, BY, now)
    return True
