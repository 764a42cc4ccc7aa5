"""Command: end an agreement, or set the day on which it will (REG-20)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.registry.domain.agreements import (
    Agreement,
    AlreadyEnded,
    EndLiesAhead,
    EndsBeforeSigned,
    UnknownAgreement,
    end_now,
    expire,
    move_end,
)
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.agreement_steps import Acted, customer_of_agreement, keep_agreement
from services.registry.handlers.standing import NotStanding, Standing
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done


@dataclass(frozen=True, slots=True)
class MoveAgreementEnd:
    """The end that a person asks for; without a day it is today. `at_once`: it ends now, on a last day that is today or
    before, instead of when its last day is over."""

    customer_code: str
    agreement_no: str
    ends_on: date | None
    reason: str
    at_once: bool = False


async def move_agreement_end(
    command: MoveAgreementEnd, desk: ActDesk
) -> (
    Done[Acted]
    | NotStanding
    | UnknownAgreement
    | AlreadyEnded
    | EndsBeforeSigned
    | EndLiesAhead
    | ChangedMeanwhile
):
    """A last day before today ends the agreement now; today or later sets it, and its timer ends it when it is over."""
    standing = await customer_of_agreement(command.customer_code, desk)
    if not isinstance(standing, Standing):
        return standing
    customer, unit = standing.customer, standing.unit
    ends_on = command.ends_on or desk.today
    stored = customer.agreement(command.agreement_no)
    if stored is None:
        return UnknownAgreement(command.agreement_no)
    if ends_on < stored.signed_on:
        return EndsBeforeSigned(stored.signed_on)
    decide = end_now if command.at_once else move_end
    moved = decide(expire(stored, desk.today), ends_on, desk.today)
    if not isinstance(moved, Agreement):
        return moved
    if moved == stored:
        return Done(Acted(customer, unit))
    if changed := stale(desk.version, customer.version):
        return changed
    step = "ended" if moved.state == "ended" else "end_moved"
    return Done(await keep_agreement(standing, moved, step, command.reason, desk))
