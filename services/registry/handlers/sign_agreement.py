"""Command: record that an agreement was signed (REG-20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.registry.domain.agreements import (
    AgreementDiffers,
    EndsBeforeSigned,
    SignedInFuture,
    Signing,
    sign,
)
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.agreement_steps import Acted, customer_of_agreement, keep_agreement
from services.registry.handlers.standing import NotStanding, Standing
from shared.commands import stale
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import Kind, Refusal


@dataclass(frozen=True, slots=True)
class SignAgreement:
    """An agreement of a customer, as a person records its signing."""

    customer_code: str
    signing: Signing


@dataclass(frozen=True, slots=True)
class UnknownUnit(Refusal):
    """The unit that is named does not exist, or no longer."""

    unit_code: str
    code: ClassVar[str] = "unknown_unit"
    kind: ClassVar[Kind] = "invalid"


async def sign_agreement(
    command: SignAgreement, desk: ActDesk
) -> (
    Done[Acted]
    | NotStanding
    | AgreementDiffers
    | SignedInFuture
    | EndsBeforeSigned
    | UnknownUnit
    | ChangedMeanwhile
):
    """Records the agreement and turns the lead to B while it is in force; the same agreement again changes nothing."""
    signing = command.signing
    standing = await customer_of_agreement(command.customer_code, desk)
    if not isinstance(standing, Standing):
        return standing
    customer, unit = standing.customer, standing.unit
    known = customer.agreement(signing.agreement_no)
    if known is not None:
        return Done(Acted(customer, unit)) if signing.tells_of(known) else AgreementDiffers(known)
    if refusal := signing.bad_term(desk.today):
        return refusal
    signing_unit = signing.unit_code or customer.unit_code
    if signing_unit != unit.code:
        signer = (await desk.organisations.units([signing_unit])).get(signing_unit)
        if signer is None or (signer.valid_to is not None and signer.valid_to < desk.today):
            return UnknownUnit(signing_unit)
    if changed := stale(desk.version, customer.version):
        return changed
    agreement = sign(
        signing.agreement_no,
        signing.signed_on,
        signing.ends_on,
        desk.now,
        desk.today,
        signing.lines,
        signing_unit,
    )
    return Done(await keep_agreement(standing, agreement, "signed", None, desk), created=True)
