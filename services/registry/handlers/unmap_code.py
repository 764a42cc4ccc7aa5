"""Command: a counter code stops meaning a customer after a day (REG-10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.registry.domain.counter_codes import (
    CodeMapping,
    MappingEnded,
    UnknownMapping,
    end_mapping,
)
from services.registry.domain.customers import Fact
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.map_code import keep_codes
from services.registry.handlers.standing import NotStanding, obstacle
from shared.auth.policy import permit
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done


@dataclass(frozen=True, slots=True)
class EndCounterCode:
    """The last day that a person gives a mapping, and why."""

    id: int
    valid_to: date
    reason: str


async def end_counter_code(
    command: EndCounterCode, desk: ActDesk
) -> Done[CodeMapping] | NotStanding | UnknownMapping | MappingEnded | ChangedMeanwhile:
    """Shortens the mapping; a last day before its first takes it back altogether."""
    # A merge may hand the mapping to another customer: the lock makes what is read here hold until the commit.
    await desk.customers.lock_registrations()
    mapping = await desk.counter_codes.one(command.id)
    customer = None if mapping is None else await desk.customers.locked(mapping.customer_code)
    if mapping is None or customer is None:
        return UnknownMapping(command.id)
    unit = (await desk.organisations.units([customer.unit_code]))[customer.unit_code]
    # A mapping outside the caller's scope is as if it were not there, like in the list.
    if permit(desk.caller, "codes.read", unit.path) is not None:
        return UnknownMapping(command.id)
    if refusal := await obstacle(customer, unit, "codes.map", desk):
        return refusal
    ended = end_mapping(mapping, command.valid_to)
    if isinstance(ended, MappingEnded):
        return ended
    if ended == mapping:
        return Done(mapping)
    if changed := stale(desk.version, mapping.version):
        return changed
    await desk.counter_codes.end(ended, desk.person, command.reason)
    mappings = [ended if each.id == ended.id else each for each in customer.counter_codes]
    await keep_codes(customer, unit, mappings, Fact("code_unmapped", {"counter_code": ended.code}), desk)
    return Done(ended)
