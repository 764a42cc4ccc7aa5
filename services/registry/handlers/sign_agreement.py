"""Command: record that an agreement was signed (REG-20)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.registry.domain.agreements import (
    AgreementDiffers,
    BadTerm,
    Signing,
    end_is_due_at,
    expire,
    sign,
)
from services.registry.domain.customers import ChangedMeanwhile, agreement_facts
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import AgreementTimers, Customers, Organisations, Permit, Publish
from services.registry.handlers.standing import Acted, NotStanding, Standing, in_good_standing


@dataclass(frozen=True, slots=True)
class UnknownUnit:
    """Refusal: the signing unit does not exist, or no longer."""

    unit_code: str


async def sign_agreement(
    customer_code: str,
    signing: Signing,
    version: int | None,
    *,
    person: str,
    now: datetime,
    today: date,
    permit: Permit,
    customers: Customers,
    organisations: Organisations,
    timers: AgreementTimers,
    publish: Publish,
) -> Acted | NotStanding | AgreementDiffers | BadTerm | UnknownUnit | ChangedMeanwhile:
    """Records the agreement and turns the lead to B while it is in force; the same agreement again changes nothing.
    `version` is the state of the customer that the caller saw, None for any."""
    found = await customers.locked(customer_code)
    standing = await in_good_standing(found, customer_code, permit, customers, organisations)
    if not isinstance(standing, Standing):
        return standing
    customer, unit = standing.customer, standing.unit
    known = customer.agreement(signing.agreement_no)
    if known is not None:
        return Acted(customer, unit) if signing.tells_of(known) else AgreementDiffers(known)
    if problem := signing.bad_term(today):
        return problem
    signing_unit = signing.unit_code or customer.unit_code
    if signing_unit != unit.code:
        signer = (await organisations.units([signing_unit])).get(signing_unit)
        if signer is None or (signer.valid_to is not None and signer.valid_to < today):
            return UnknownUnit(signing_unit)
    if version not in (None, customer.version):
        return ChangedMeanwhile(customer.version)
    agreement = sign(
        signing.agreement_no, signing.signed_on, signing.ends_on, now, today, signing.lines, signing_unit
    )
    # The last day of an earlier agreement may have passed without its timer having come round yet.
    settled = replace(customer, agreements=tuple(expire(each, today) for each in customer.agreements))
    after = replace(settled, version=customer.version + 1, agreements=settled.with_agreement(agreement))
    units = {unit.code: unit}
    await customers.store(after, units, person)
    await customers.note_agreement(after.code, agreement, "signed", person, None)
    if agreement.state == "in_force" and agreement.ends_on is not None:
        await timers.schedule([(after.code, agreement.agreement_no, agreement.ends_on)], end_is_due_at)
    publish_customer(publish, after, agreement_facts(customer, after), units, person, now)
    return Acted(after, unit, created=True)
