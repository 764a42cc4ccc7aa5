"""Commands: propose that two customers be merged, sign, refuse; the third signature carries it out (REG-7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.registry.domain.agreements import end_is_due_at
from services.registry.domain.customers import ChangedMeanwhile, Customer, Fact
from services.registry.domain.merging import (
    AgreementsClash,
    AlreadyDecided,
    AlreadyProposed,
    Effect,
    Proposal,
    SameCustomer,
    SigningRefused,
    UnknownMerge,
    complete,
    merge,
    sign,
)
from services.registry.domain.organisation import Unit
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.ports import (
    AgreementTimers,
    CounterCodes,
    Customers,
    Merges,
    Organisations,
    Permit,
    Publish,
)
from services.registry.handlers.standing import NotStanding, Standing, in_good_standing


@dataclass(frozen=True, slots=True)
class Seen:
    """The versions that a person looked at before signing, of the merge and of both customers; None for any."""

    merge: int | None = None
    survivor: int | None = None
    alias: int | None = None


Pair = tuple[Customer, Customer, Mapping[str, Unit]]


async def propose_merge(
    survivor: str,
    alias: str,
    reason: str,
    *,
    person: str,
    permit: Permit,
    customers: Customers,
    merges: Merges,
    organisations: Organisations,
) -> Proposal | NotStanding | SameCustomer | AgreementsClash | AlreadyProposed:
    """Stores the proposal, unless it could not be carried out as things stand."""
    pair = await _both(survivor, alias, permit, customers, organisations)
    if not isinstance(pair, tuple):
        return pair
    effect = merge(pair[0], pair[1])
    if not isinstance(effect, Effect):
        return effect
    office = await organisations.office_of(person)
    made = await merges.propose(survivor, alias, reason, person, office)
    return made or AlreadyProposed(await merges.open_for(alias) or 0)


async def sign_merge(
    id: int,
    comment: str | None,
    seen: Seen,
    *,
    person: str,
    now: datetime,
    permit: Permit,
    customers: Customers,
    counter_codes: CounterCodes,
    merges: Merges,
    organisations: Organisations,
    timers: AgreementTimers,
    publish: Publish,
) -> Proposal | NotStanding | UnknownMerge | SigningRefused | SameCustomer | AgreementsClash:
    """Adds the signature; with the last one both customers change in this transaction, or nothing does."""
    # Registrations wait: a credit code or a counter code passes from one customer to the other.
    await customers.lock_registrations()
    parties = await merges.parties(id)
    if parties is None:
        return UnknownMerge(id)
    locked = await customers.locked_all(parties)
    survivor, alias = locked[parties[0]], locked[parties[1]]
    units = await organisations.units([survivor.unit_code, alias.unit_code])
    for each in (survivor, alias):
        permit(each, units[each.unit_code])
    proposal = await merges.locked(id)
    if proposal is None:
        return UnknownMerge(id)
    signatures = sign(proposal, person, await organisations.office_of(person))
    if not isinstance(signatures, tuple):
        return signatures
    if seen.merge not in (None, proposal.version):
        return ChangedMeanwhile(proposal.version)
    for customer, version in ((survivor, seen.survivor), (alias, seen.alias)):
        standing = await in_good_standing(customer, customer.code, permit, customers, organisations)
        if not isinstance(standing, Standing):
            return standing
        if version not in (None, customer.version):
            return ChangedMeanwhile(customer.version)
    effect = merge(survivor, alias)
    if not isinstance(effect, Effect):
        return effect
    await merges.sign(proposal, signatures[-1], comment)
    if complete(signatures):
        await _carry_out(
            proposal,
            (survivor, alias),
            effect,
            units,
            person=person,
            now=now,
            customers=customers,
            counter_codes=counter_codes,
            merges=merges,
            timers=timers,
            publish=publish,
        )
    return proposal


async def refuse_merge(
    id: int,
    reason: str,
    seen: Seen,
    *,
    person: str,
    permit: Permit,
    customers: Customers,
    merges: Merges,
    organisations: Organisations,
) -> Proposal | UnknownMerge | AlreadyDecided | ChangedMeanwhile:
    """Ends the proposal for good: refused by an approver, withdrawn by who asked for it."""
    parties = await merges.parties(id)
    if parties is None:
        return UnknownMerge(id)
    locked = await customers.locked_all(parties)
    proposal = await merges.locked(id)
    if proposal is None:
        return UnknownMerge(id)
    own = proposal.requested_by == person
    if not own:
        units = await organisations.units([each.unit_code for each in locked.values()])
        for each in locked.values():
            permit(each, units[each.unit_code])
    if proposal.state != "proposed":
        return AlreadyDecided(proposal.state)
    if seen.merge not in (None, proposal.version):
        return ChangedMeanwhile(proposal.version)
    await merges.decide(proposal, "withdrawn" if own else "refused", person, reason, None)
    return proposal


async def _both(
    survivor: str, alias: str, permit: Permit, customers: Customers, organisations: Organisations
) -> Pair | NotStanding:
    locked = await customers.locked_all([survivor, alias])
    units: dict[str, Unit] = {}
    for code in (survivor, alias):
        standing = await in_good_standing(locked.get(code), code, permit, customers, organisations)
        if not isinstance(standing, Standing):
            return standing
        units[standing.unit.code] = standing.unit
    return locked[survivor], locked[alias], units


async def _carry_out(
    proposal: Proposal,
    before: tuple[Customer, Customer],
    effect: Effect,
    units: Mapping[str, Unit],
    *,
    person: str,
    now: datetime,
    customers: Customers,
    counter_codes: CounterCodes,
    merges: Merges,
    timers: AgreementTimers,
    publish: Publish,
) -> None:
    survivor, alias = effect.survivor, effect.alias
    await merges.move_agreements(alias.code, survivor.code, effect.agreements)
    await counter_codes.move(alias.code, survivor.code)
    # The alias first: a credit code that passes over must have left it.
    await customers.store(alias, units, person)
    await customers.store(survivor, units, person, before[0])
    await customers.point_to(alias.code, survivor.code)
    moved = {number for _, number in effect.agreements}
    await timers.schedule(
        [
            (survivor.code, each.agreement_no, each.ends_on)
            for each in survivor.agreements
            if each.agreement_no in moved and each.state == "in_force" and each.ends_on is not None
        ],
        end_is_due_at,
    )
    await merges.decide(proposal, "merged", person, None, told(before, effect))
    publish_customer(publish, alias, (Fact("merged", {"merged_into": survivor.code}),), units, person, now)
    publish_customer(publish, survivor, (Fact("merged", {"alias": alias.code}),), units, person, now)


def told(before: tuple[Customer, Customer], effect: Effect) -> dict[str, Any]:
    """The effect as it is shown before signing and kept afterwards: enough to split a wrong merge again."""
    return {
        "before": {"survivor": summary(before[0]), "alias": summary(before[1])},
        "after": {"survivor": summary(effect.survivor), "alias": summary(effect.alias)},
        "agreements_moved": [{"from": old, "to": new} for old, new in effect.agreements],
        "warnings": list(effect.warnings),
    }


def summary(customer: Customer) -> dict[str, Any]:
    """What a merge changes of a customer, as JSON."""
    return {
        "customer_code": customer.code,
        "version": customer.version,
        "name": customer.name,
        "uscc": customer.uscc,
        "kind": customer.kind,
        "status": customer.status,
        "merged_into": customer.merged_into,
        "unit_code": customer.unit_code,
        "division": customer.division,
        "industry": customer.industry,
        "manager_a": customer.manager_a,
        "manager_b": customer.manager_b,
        "lead": customer.lead,
        "agreements": [
            {
                "agreement_no": each.agreement_no,
                "signed_on": each.signed_on.isoformat(),
                "ends_on": each.ends_on and each.ends_on.isoformat(),
                "state": each.state,
                "unit_code": each.unit_code,
            }
            for each in customer.agreements
        ],
        "counter_codes": [
            {
                "code": each.code,
                "unit_code": each.unit_code,
                "counter_id": each.counter_id,
                "valid_from": each.valid_from and each.valid_from.isoformat(),
                "valid_to": each.valid_to and each.valid_to.isoformat(),
            }
            for each in customer.counter_codes
        ],
        "aliases": list(customer.aliases),
    }
