"""Command: a counter code means a customer from one day to another (REG-10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from services.registry.domain.counter_codes import (
    CodeIsRegistered,
    CodeMapping,
    EndsBeforeStart,
    ForeignCounters,
    ForeignRange,
    MappedElsewhere,
    holding,
    map_code,
)
from services.registry.domain.customers import Customer, Fact
from services.registry.domain.organisation import Unit, foreign_range
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import (
    CounterCodes,
    CounterRights,
    Customers,
    Organisations,
    Permit,
    Publish,
    Rules,
)
from services.registry.handlers.sign_agreement import UnknownUnit
from services.registry.handlers.standing import NotStanding, Standing, in_good_standing


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping with its customer after the act; `created` where it is new."""

    mapping: CodeMapping
    customer: Customer
    unit: Unit
    created: bool = False


async def map_counter_code(
    wanted: CodeMapping,
    *,
    person: str,
    now: datetime,
    rules: Rules,
    permit: Permit,
    rights: CounterRights,
    customers: Customers,
    counter_codes: CounterCodes,
    organisations: Organisations,
    publish: Publish,
) -> (
    Mapped
    | NotStanding
    | UnknownUnit
    | ForeignCounters
    | ForeignRange
    | CodeIsRegistered
    | EndsBeforeStart
    | MappedElsewhere
):
    """Stores the mapping and tells the customer's new state; the same mapping again changes nothing.

    Without a unit or a counter it holds for the counters that the caller acts for."""
    # A code must not become a customer's own while it is being mapped to another.
    await customers.lock_registrations()
    found = await customers.locked(wanted.customer_code)
    standing = await in_good_standing(found, wanted.customer_code, permit, customers, organisations)
    if not isinstance(standing, Standing):
        return standing
    customer, unit = standing.customer, standing.unit
    scoped = await _within_rights(wanted, unit, rules, rights, organisations)
    if not isinstance(scoped, CodeMapping):
        return scoped
    wanted = scoped
    if await counter_codes.registered(wanted.code):
        return CodeIsRegistered(wanted.code)
    decided = map_code(wanted, await counter_codes.of_code(wanted.code))
    if not isinstance(decided, CodeMapping):
        return decided
    if decided.id:
        return Mapped(decided, customer, unit)
    stored = await counter_codes.add(decided, person, rules.issuing)
    if stored is None:
        return MappedElsewhere(wanted.code, tuple(await counter_codes.of_code(wanted.code)))
    after = replace(
        customer,
        version=customer.version + 1,
        counter_codes=holding([*customer.counter_codes, stored]),
    )
    units = {unit.code: unit}
    await customers.store(after, units, person)
    publish_customer(
        publish, after, (Fact("code_mapped", {"counter_code": stored.code}),), units, person, now
    )
    return Mapped(stored, after, unit, created=True)


async def _within_rights(
    wanted: CodeMapping, unit: Unit, rules: Rules, rights: CounterRights, organisations: Organisations
) -> CodeMapping | UnknownUnit | ForeignCounters | ForeignRange:
    """The mapping with its scope, where the caller covers these counters and the code spends nobody else's serial."""
    if wanted.scope == (None, None):
        wanted = replace(wanted, unit_code=rights.home(unit))
    units = (await organisations.load()).units
    named = wanted.unit_code or wanted.counter_id
    counters = None if named is None else units.get(named)
    if wanted.unit_code is not None and counters is None:
        return UnknownUnit(wanted.unit_code)
    if not rights.covers(counters):
        return ForeignCounters(*wanted.scope)
    owner = foreign_range(units, rules.issuing, wanted.code, unit.code)
    if owner is not None and not rights.covers(owner):
        return ForeignRange(wanted.code, owner.division or "", owner.code)
    return wanted
