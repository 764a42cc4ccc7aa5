"""Agreements over HTTP: signed and ended (REG-20). Both answer the customer as it then is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from services.registry.domain.agreements import Signing
from services.registry.entrypoints.acting import Acts, CodeText, Line, Sentence, storable, when_loaded
from services.registry.entrypoints.answers import CustomerOut, customer_out
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.agreement_steps import Acted
from services.registry.handlers.move_agreement_end import MoveAgreementEnd, move_agreement_end
from services.registry.handlers.sign_agreement import SignAgreement, sign_agreement
from shared.commands import VersionedCall, described
from shared.http_fields import StatedDay

AgreementNo = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class SigningIn(BaseModel):
    """A signed agreement. Without `lines` it covers all lines; without `unit_code` the customer's unit signed it."""

    model_config = ConfigDict(extra="forbid")

    agreement_no: AgreementNo
    signed_on: StatedDay
    ends_on: StatedDay | None = Field(default=None, description="Its last day; null when open-ended.")
    lines: list[Line] = Field(default=[], max_length=8)
    unit_code: CodeText | None = Field(default=None, description="The unit that signed it.")


class EndingIn(BaseModel):
    """The end of an agreement. A last day before today ends it now, today or later when that day is over; with `now`
    it ends at once."""

    model_config = ConfigDict(extra="forbid")

    agreement_no: AgreementNo
    ends_on: StatedDay | None = Field(default=None, description="Its last day; today where it is left out.")
    now: StrictBool = Field(default=False, description="End it now, on a last day that is today or before.")
    reason: Sentence


router = APIRouter(
    prefix="/v1/customers/{code:path}", tags=["agreements"], dependencies=[Depends(when_loaded)]
)


@router.post(
    "/agreements",
    summary="Record a signed agreement",
    **described(sign_agreement, versioned=True, created=True),
)
async def sign(code: str, body: SigningIn, call: VersionedCall, door: Acts) -> CustomerOut:
    """201 with the customer, who is led by B while an agreement is in force; 200 where this agreement is on record
    already. Another agreement of the same number is 409 `agreement_exists`. `If-Match` names the version of the
    customer. For the role `centre`."""
    lines = tuple(dict.fromkeys(body.lines))
    signing = Signing(body.agreement_no, body.signed_on, body.ends_on, lines, body.unit_code)
    command = SignAgreement(storable(code), signing)
    return await door.carry_out(call, "agreements.write", sign_agreement, command, shown)


@router.post(
    "/agreements/end",
    summary="End an agreement, or set its last day",
    **described(move_agreement_end, versioned=True),
)
async def end(code: str, body: EndingIn, call: VersionedCall, door: Acts) -> CustomerOut:
    """Answers the customer. `If-Match` names the version of the customer. For the role `centre`."""
    command = MoveAgreementEnd(storable(code), body.agreement_no, body.ends_on, body.reason, body.now)
    return await door.carry_out(call, "agreements.write", move_agreement_end, command, shown)


async def shown(desk: ActDesk, acted: Acted) -> CustomerOut:
    """The customer as this transaction leaves it."""
    return customer_out(acted.customer, acted.unit, desk.now)
