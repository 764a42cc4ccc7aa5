"""Command: end an agreement, or set the day on which it will (REG-20)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.registry.domain.agreements import (
    AlreadyEnded,
    BadTerm,
    UnknownAgreement,
    end_is_due_at,
    end_now,
    expire,
    move_end,
)
from services.registry.domain.customers import ChangedMeanwhile, agreement_facts
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import AgreementTimers, Customers, Organisations, Permit, Publish
from services.registry.handlers.standing import Acted, NotStanding, Standing, in_good_standing


@dataclass(frozen=True, slots=True)
class Ending:
    """The end that a person asks for. `at_once`: it ends now, on a last day that is today or before, instead of when
    its last day is over. `version` is the state of the customer that they saw, None for any."""

    agreement_no: str
    ends_on: date
    reason: str
    at_once: bool = False
    version: int | None = None


async def move_agreement_end(
    customer_code: str,
    ending: Ending,
    *,
    person: str,
    now: datetime,
    today: date,
    permit: Permit,
    customers: Customers,
    organisations: Organisations,
    timers: AgreementTimers,
    publish: Publish,
) -> Acted | NotStanding | UnknownAgreement | AlreadyEnded | BadTerm:
    """A last day before today ends the agreement now; today or later sets it, and its timer ends it when it is over."""
    found = await customers.locked(customer_code)
    standing = await in_good_standing(found, customer_code, permit, customers, organisations)
    if not isinstance(standing, Standing):
        return standing
    customer, unit = standing.customer, standing.unit
    stored = customer.agreement(ending.agreement_no)
    if stored is None:
        return UnknownAgreement(ending.agreement_no)
    if ending.ends_on < stored.signed_on:
        return BadTerm("ends_before_signed", stored.signed_on)
    decide = end_now if ending.at_once else move_end
    moved = decide(expire(stored, today), ending.ends_on, today)
    if isinstance(moved, (AlreadyEnded, BadTerm)):
        return moved
    if moved == stored:
        return Acted(customer, unit)
    if ending.version not in (None, customer.version):
        return ChangedMeanwhile(customer.version)
    settled = replace(customer, agreements=tuple(expire(each, today) for each in customer.agreements))
    after = replace(settled, version=customer.version + 1, agreements=settled.with_agreement(moved))
    units = {unit.code: unit}
    await customers.store(after, units, person)
    step = "ended" if moved.state == "ended" else "end_moved"
    await customers.note_agreement(after.code, moved, step, person, ending.reason)
    if moved.state == "in_force":
        await timers.schedule([(after.code, moved.agreement_no, ending.ends_on)], end_is_due_at)
    publish_customer(publish, after, agreement_facts(customer, after), units, person, now)
    return Acted(after, unit)
