"""Agreements over HTTP: signed and ended (REG-20). Both answer the customer as it then is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from services.registry.adapters.agreement_timers import PostgresAgreementTimers
from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.domain.agreements import Signing
from services.registry.entrypoints.acting import CodeText, Line, Sentence, answer, permitted
from services.registry.entrypoints.answers import CustomerOut, customer_told
from services.registry.entrypoints.refusals import problem_of, unknown_customer
from services.registry.handlers.move_agreement_end import Ending, move_agreement_end
from services.registry.handlers.sign_agreement import sign_agreement
from services.registry.handlers.standing import Acted
from shared.auth.http import Caller, require
from shared.clock import business_date
from shared.etags import IfMatch, required_version
from shared.http_fields import StatedDay
from shared.idempotency import Asked, IdempotencyKey
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

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


def build_router(unit_of_work: UnitOfWork) -> APIRouter:
    """The routes of agreements."""
    router = APIRouter(prefix="/customers/{code:path}", tags=["agreements"])

    def parts(work: Work) -> dict[str, Any]:
        return {
            "now": work.now,
            "today": business_date(work.now),
            "customers": PostgresCustomers(work),
            "organisations": PostgresOrganisations(work),
            "timers": PostgresAgreementTimers(work),
            "publish": publisher(work),
        }

    def told(work: Work, done: object) -> tuple[dict[str, Any], bool]:
        if not isinstance(done, Acted):
            raise problem_of(done)
        return customer_told(done.customer, done.unit, work.now), done.created

    @router.post("/agreements", summary="Record a signed agreement", status_code=201)
    async def sign(
        code: str,
        body: SigningIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> CustomerOut:
        """201 with the customer, who is led by B while an agreement is in force; 200 where this agreement is on record
        already. Another agreement of the same number is 409 `agreement_exists`. `If-Match` names the version of the
        customer. For the role `centre`."""
        require(caller, "agreements.write")
        _storable(code)
        version = required_version(if_match)
        signing = Signing(
            body.agreement_no,
            body.signed_on,
            body.ends_on,
            tuple(dict.fromkeys(body.lines)),
            body.unit_code,
        )

        async def command(work: Work) -> tuple[dict[str, Any], bool]:
            permit = permitted(caller, "agreements.write")
            return told(
                work,
                await sign_agreement(
                    code, signing, version, person=caller.user, permit=permit, **parts(work)
                ),
            )

        asked = Asked(
            f"customers/{code}/agreements", caller.user, idempotency_key, body.model_dump(mode="json")
        )
        return CustomerOut.model_validate(await answer(unit_of_work, asked, response, command))

    @router.post("/agreements/end", summary="End an agreement, or set its last day")
    async def end(
        code: str,
        body: EndingIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> CustomerOut:
        """Answers the customer. `If-Match` names the version of the customer. For the role `centre`."""
        require(caller, "agreements.write")
        _storable(code)
        version = required_version(if_match)

        async def command(work: Work) -> tuple[dict[str, Any], bool]:
            ends_on = body.ends_on or business_date(work.now)
            ending = Ending(body.agreement_no, ends_on, body.reason, body.now, version)
            permit = permitted(caller, "agreements.write")
            return told(
                work,
                await move_agreement_end(code, ending, person=caller.user, permit=permit, **parts(work)),
            )

        asked = Asked(
            f"customers/{code}/agreements/end", caller.user, idempotency_key, body.model_dump(mode="json")
        )
        return CustomerOut.model_validate(await answer(unit_of_work, asked, response, command))

    return router


def _storable(code: str) -> None:
    """PostgreSQL takes no NUL in text, and no customer has one in its code."""
    if "\x00" in code:
        raise unknown_customer()
