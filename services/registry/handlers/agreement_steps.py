"""What every act on an agreement begins and ends with: the customer in good standing, and its next version stored and told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.registry.domain.agreements import Agreement, end_is_due_at, expire
from services.registry.domain.customers import Customer, agreement_facts
from services.registry.domain.organisation import Unit
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.standing import NotStanding, Standing, in_good_standing


@dataclass(frozen=True, slots=True)
class Acted:
    """A customer after an act, with its unit."""

    customer: Customer
    unit: Unit


async def customer_of_agreement(customer_code: str, desk: ActDesk) -> Standing | NotStanding:
    """The customer for whose agreements the caller acts."""
    return await in_good_standing(customer_code, "agreements.write", desk)


async def keep_agreement(
    standing: Standing, changed: Agreement, step: str, reason: str | None, desk: ActDesk
) -> Acted:
    """Stores the customer with this agreement, sets its timer and tells it; `step` is `signed`, `end_moved` or `ended`."""
    customer, unit = standing.customer, standing.unit
    # The last day of an earlier agreement may have passed without its timer having come round yet.
    settled = replace(customer, agreements=tuple(expire(each, desk.today) for each in customer.agreements))
    after = replace(settled, version=customer.version + 1, agreements=settled.with_agreement(changed))
    units = {unit.code: unit}
    await desk.customers.store(after, units, desk.person)
    await desk.customers.note_agreement(after.code, changed, step, desk.person, reason)
    if changed.state == "in_force" and changed.ends_on is not None:
        await desk.timers.schedule([(after.code, changed.agreement_no, changed.ends_on)], end_is_due_at)
    facts = agreement_facts(customer, after)
    publish_customer(desk.publish, after, facts, units, desk.person, desk.now)
    return Acted(after, unit)
