"""Command: a counter code stops meaning a customer after a day (REG-10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.registry.domain.counter_codes import (
    MappingEnded,
    UnknownMapping,
    end_mapping,
    holding,
)
from services.registry.domain.customers import ChangedMeanwhile, Fact
from services.registry.handlers.map_code import Mapped
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import CounterCodes, Customers, Organisations, Permit, Publish
from services.registry.handlers.standing import NotStanding, Standing, in_good_standing


@dataclass(frozen=True, slots=True)
class Unmapping:
    """The last day that a person gives a mapping, and why. `version` is the mapping they saw, None for any."""

    id: int
    valid_to: date
    reason: str
    version: int | None = None


async def end_counter_code(
    ending: Unmapping,
    *,
    person: str,
    now: datetime,
    permit: Permit,
    customers: Customers,
    counter_codes: CounterCodes,
    organisations: Organisations,
    publish: Publish,
) -> Mapped | NotStanding | UnknownMapping | MappingEnded:
    """Shortens the mapping; a last day before its first takes it back altogether."""
    # A merge may hand the mapping to another customer: the lock makes what is read here hold until the commit.
    await customers.lock_registrations()
    mapping = await counter_codes.one(ending.id)
    if mapping is None:
        return UnknownMapping(ending.id)
    found = await customers.locked(mapping.customer_code)
    standing = await in_good_standing(found, mapping.customer_code, permit, customers, organisations)
    if not isinstance(standing, Standing):
        return standing
    customer, unit = standing.customer, standing.unit
    ended = end_mapping(mapping, ending.valid_to)
    if isinstance(ended, MappingEnded):
        return ended
    if ended == mapping:
        return Mapped(mapping, customer, unit)
    if ending.version not in (None, mapping.version):
        return ChangedMeanwhile(mapping.version)
    await counter_codes.end(ended, person, ending.reason)
    after = replace(
        customer,
        version=customer.version + 1,
        counter_codes=holding([ended if each.id == ended.id else each for each in customer.counter_codes]),
    )
    units = {unit.code: unit}
    await customers.store(after, units, person)
    publish_customer(
        publish, after, (Fact("code_unmapped", {"counter_code": ended.code}),), units, person, now
    )
    return Mapped(ended, after, unit)
