"""Commands: propose that two customers be merged, sign, refuse; the third signature carries it out (REG-7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.registry.domain.agreements import end_is_due_at
from services.registry.domain.customers import Customer, Fact, UnknownCustomer
from services.registry.domain.merging import (
    AgreementsClash,
    AlreadyDecided,
    AlreadyProposed,
    AlreadySigned,
    Effect,
    NotOnStaff,
    OwnRequest,
    Proposal,
    SameCustomer,
    SameOffice,
    UnknownMerge,
    complete,
    merge,
    sign,
)
from services.registry.domain.organisation import Unit
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.messages import publish_customer
from services.registry.handlers.standing import NotStanding, obstacle
from shared.auth.policy import Forbidden, OutOfScope, permit
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done


@dataclass(frozen=True, slots=True)
class ProposeMerge:
    """Two codes of one customer: which goes on, which becomes its alias, and how one knows."""

    survivor: str
    alias: str
    reason: str


@dataclass(frozen=True, slots=True)
class SignMerge:
    """A signature, with the versions of both customers that the person looked at; None for any."""

    id: int
    comment: str | None = None
    survivor_version: int | None = None
    alias_version: int | None = None


@dataclass(frozen=True, slots=True)
class RefuseMerge:
    """Why a merge shall not be."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parties:
    """Both customers of a merge, locked, with their units."""

    survivor: Customer
    alias: Customer
    units: Mapping[str, Unit]

    @property
    def both(self) -> tuple[Customer, Customer]:
        return self.survivor, self.alias


async def propose_merge(
    command: ProposeMerge, desk: ActDesk
) -> Done[Proposal] | NotStanding | SameCustomer | AgreementsClash | AlreadyProposed:
    """Stores the proposal, unless it could not be carried out as things stand."""
    locked = await desk.customers.locked_all([command.survivor, command.alias])
    units = await desk.organisations.units([each.unit_code for each in locked.values()])
    for code in (command.survivor, command.alias):
        if code not in locked:
            return UnknownCustomer(code)
        unit = units[locked[code].unit_code]
        if against := await obstacle(locked[code], unit, "merges.propose", desk):
            return against
    effect = merge(locked[command.survivor], locked[command.alias])
    if not isinstance(effect, Effect):
        return effect
    office = await desk.organisations.office_of(desk.person)
    made = await desk.merges.propose(command.survivor, command.alias, command.reason, desk.person, office)
    if made is None:
        return AlreadyProposed(await desk.merges.open_for(command.alias) or 0)
    return Done(made, created=True)


async def sign_merge(
    command: SignMerge, desk: ActDesk
) -> (
    Done[Proposal]
    | NotStanding
    | UnknownMerge
    | AlreadyDecided
    | OwnRequest
    | AlreadySigned
    | SameOffice
    | NotOnStaff
    | SameCustomer
    | AgreementsClash
    | ChangedMeanwhile
):
    """Adds the signature; with the last one both customers change in this transaction, or nothing does."""
    # Registrations wait: a credit code or a counter code passes from one customer to the other.
    await desk.customers.lock_registrations()
    parties = await _parties(command.id, desk)
    if parties is None:
        return UnknownMerge(command.id)
    if refusal := _not_for_caller(command.id, parties, desk):
        return refusal
    proposal = await desk.merges.locked(command.id)
    if proposal is None:
        return UnknownMerge(command.id)
    signatures = sign(proposal, desk.person, await desk.organisations.office_of(desk.person))
    if not isinstance(signatures, tuple):
        return signatures
    if changed := stale(desk.version, proposal.version):
        return changed
    versions = (command.survivor_version, command.alias_version)
    for customer, version in zip(parties.both, versions, strict=True):
        unit = parties.units[customer.unit_code]
        against = await obstacle(customer, unit, "merges.sign", desk) or stale(version, customer.version)
        if against is not None:
            return against
    effect = merge(parties.survivor, parties.alias)
    if not isinstance(effect, Effect):
        return effect
    await desk.merges.sign(proposal, signatures[-1], command.comment)
    if complete(signatures):
        await _carry_out(proposal, parties, effect, desk)
    return Done(proposal)


async def refuse_merge(
    command: RefuseMerge, desk: ActDesk
) -> Done[Proposal] | UnknownMerge | Forbidden | OutOfScope | AlreadyDecided | ChangedMeanwhile:
    """Ends the proposal for good: refused by an approver, withdrawn by who asked for it."""
    parties = await _parties(command.id, desk)
    proposal = await desk.merges.locked(command.id)
    if parties is None or proposal is None:
        return UnknownMerge(command.id)
    own = proposal.requested_by == desk.person
    if not own and (refusal := _not_for_caller(command.id, parties, desk)):
        return refusal
    if proposal.state != "proposed":
        return AlreadyDecided(proposal.state)
    if changed := stale(desk.version, proposal.version):
        return changed
    state = "withdrawn" if own else "refused"
    await desk.merges.decide(proposal, state, desk.person, command.reason, None)
    return Done(proposal)


async def _parties(id: int, desk: ActDesk) -> Parties | None:
    codes = await desk.merges.parties(id)
    if codes is None:
        return None
    locked = await desk.customers.locked_all(codes)
    units = await desk.organisations.units([each.unit_code for each in locked.values()])
    return Parties(locked[codes[0]], locked[codes[1]], units)


def _not_for_caller(id: int, parties: Parties, desk: ActDesk) -> UnknownMerge | Forbidden | OutOfScope | None:
    """Why the caller may not sign for these customers. A merge of customers outside their scope is as if it were not
    there."""
    for customer in parties.both:
        path = parties.units[customer.unit_code].path
        if permit(desk.caller, "merges.read", path) is not None:
            return UnknownMerge(id)
        if refusal := permit(desk.caller, "merges.sign", path):
            return refusal
    return None


async def _carry_out(proposal: Proposal, parties: Parties, effect: Effect, desk: ActDesk) -> None:
    survivor, alias, units = effect.survivor, effect.alias, parties.units
    await desk.merges.move_agreements(alias.code, survivor.code, effect.agreements)
    await desk.counter_codes.move(alias.code, survivor.code)
    # The alias first: a credit code that passes over must have left it.
    await desk.customers.store(alias, units, desk.person)
    await desk.customers.store(survivor, units, desk.person, parties.survivor)
    await desk.customers.point_to(alias.code, survivor.code)
    moved = {number for _, number in effect.agreements}
    await desk.timers.schedule(
        [
            (survivor.code, each.agreement_no, each.ends_on)
            for each in survivor.agreements
            if each.agreement_no in moved and each.state == "in_force" and each.ends_on is not None
        ],
        end_is_due_at,
    )
    await desk.merges.decide(proposal, "merged", desk.person, None, effect_shown(parties.both, effect))
    for customer, fact in (
        (alias, Fact("merged", {"merged_into": survivor.code})),
        (survivor, Fact("merged", {"alias": alias.code})),
    ):
        publish_customer(desk.publish, customer, (fact,), units, desk.person, desk.now)


def effect_shown(before: tuple[Customer, Customer], effect: Effect) -> dict[str, Any]:
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
