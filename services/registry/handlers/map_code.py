"""Command: a counter code means a customer from one day to another (REG-10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.registry.domain.counter_codes import (
    BadCode,
    CodeIsRegistered,
    CodeMapping,
    EndsBeforeStart,
    ForeignCounters,
    ForeignRange,
    MappedElsewhere,
    Meaning,
    Overlap,
    clean_counter_code,
    holding,
    map_code,
)
from services.registry.domain.customers import Customer, Fact
from services.registry.domain.organisation import Unit, foreign_range
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.sign_agreement import UnknownUnit
from services.registry.handlers.standing import NotStanding, Standing, in_good_standing
from shared.auth.policy import covering, everywhere, permit
from shared.kernel.commands import Done


@dataclass(frozen=True, slots=True)
class MapCounterCode:
    """A counter's code and the customer that it is to mean, with the business days for which it does. Without a unit or a
    counter it holds for the counters that the caller acts for."""

    counter_code: str
    customer_code: str
    unit_code: str | None = None
    counter_id: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None


async def map_counter_code(
    command: MapCounterCode, desk: ActDesk
) -> (
    Done[CodeMapping]
    | NotStanding
    | BadCode
    | UnknownUnit
    | ForeignCounters
    | ForeignRange
    | CodeIsRegistered
    | EndsBeforeStart
    | MappedElsewhere
):
    """Stores the mapping and tells the customer's new state; the same mapping again changes nothing."""
    code = clean_counter_code(command.counter_code)
    counter_id = None if command.counter_id is None else clean_counter_code(command.counter_id)
    if code is None or (counter_id is None and command.counter_id is not None):
        return BadCode()
    # A code must not become a customer's own while it is being mapped to another.
    await desk.customers.lock_registrations()
    standing = await in_good_standing(command.customer_code, "codes.map", desk)
    if not isinstance(standing, Standing):
        return standing
    customer, unit = standing.customer, standing.unit
    wanted = CodeMapping(
        0,
        code,
        command.customer_code,
        command.valid_from,
        command.valid_to,
        unit_code=command.unit_code,
        counter_id=counter_id,
    )
    scoped = await _within_rights(wanted, unit, desk)
    if not isinstance(scoped, CodeMapping):
        return scoped
    if await desk.counter_codes.registered(code):
        return CodeIsRegistered(code)
    decided = map_code(scoped, await desk.counter_codes.of_code(code))
    if isinstance(decided, Overlap):
        return await _mapped_elsewhere(code, decided.mappings, desk)
    if not isinstance(decided, CodeMapping):
        return decided
    if decided.id:
        return Done(decided)
    stored = await desk.counter_codes.add(decided, desk.person, desk.rules.issuing)
    if stored is None:
        return await _mapped_elsewhere(code, await desk.counter_codes.of_code(code), desk)
    await keep_codes(
        customer, unit, [*customer.counter_codes, stored], Fact("code_mapped", {"counter_code": code}), desk
    )
    return Done(stored, created=True)


async def keep_codes(
    customer: Customer, unit: Unit, mappings: Sequence[CodeMapping], fact: Fact, desk: ActDesk
) -> None:
    """Stores the customer's next version, with what its counter codes have become, and tells it."""
    after = replace(customer, version=customer.version + 1, counter_codes=holding(mappings))
    units = {unit.code: unit}
    await desk.customers.store(after, units, desk.person)
    publish_customer(desk.publish, after, (fact,), units, desk.person, desk.now)


async def _within_rights(
    wanted: CodeMapping, unit: Unit, desk: ActDesk
) -> CodeMapping | UnknownUnit | ForeignCounters | ForeignRange:
    """The mapping with its scope, where the caller covers these counters and the code spends nobody else's serial."""
    if wanted.scope == (None, None):
        wanted = replace(wanted, unit_code=_home(unit, desk))
    units = (await desk.organisations.load()).units
    named = wanted.unit_code or wanted.counter_id
    counters = None if named is None else units.get(named)
    if wanted.unit_code is not None and counters is None:
        return UnknownUnit(wanted.unit_code)
    if not _maps_for(counters, desk):
        return ForeignCounters(*wanted.scope)
    owner = foreign_range(units, desk.rules.issuing, wanted.code, unit.code)
    if owner is not None and not _maps_for(owner, desk):
        return ForeignRange(wanted.code, owner.division or "", owner.code)
    return wanted


def _home(unit: Unit, desk: ActDesk) -> str | None:
    """The unit for whose counters the caller maps a code to a customer of `unit`, where no other scope is named; None for
    all counters."""
    grant = covering(desk.caller, "codes.map", unit.path)
    return None if grant is None or grant.of_everything else grant.unit


def _maps_for(counters: Unit | None, desk: ActDesk) -> bool:
    """Whether the caller acts for the counters of a unit; None means all counters, or one that no unit is known of."""
    if counters is None:
        return everywhere(desk.caller, "codes.map")
    return permit(desk.caller, "codes.map", counters.path) is None


async def _mapped_elsewhere(code: str, mappings: Sequence[CodeMapping], desk: ActDesk) -> MappedElsewhere:
    """What the code means already. Of a customer outside the caller's scope only the unit is told."""
    customers = await desk.customers.seen([each.customer_code for each in mappings])
    units = await desk.organisations.units([each.unit_code for each in customers.values()])
    meanings: list[Meaning] = []
    for mapping in mappings:
        customer = customers[mapping.customer_code]
        unit = units[customer.unit_code]
        visible = desk.sees(customer, unit)
        meanings.append(
            Meaning(
                customer.code if visible else None,
                customer.name if visible else None,
                unit.code,
                unit.name_zh,
                unit.name_en,
                mapping.valid_from,
                mapping.valid_to,
            )
        )
    return MappedElsewhere(code, tuple(meanings))
