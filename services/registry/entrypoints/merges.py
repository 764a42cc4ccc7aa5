"""Merges over HTTP: proposed, signed, refused, read (REG-7)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.registry.adapters.agreement_timers import PostgresAgreementTimers
from services.registry.adapters.counter_codes import PostgresCounterCodes
from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.merge_reads import MergeReads
from services.registry.adapters.merges import PostgresMerges
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.domain.customers import Customer
from services.registry.domain.merging import Proposal
from services.registry.domain.organisation import Unit
from services.registry.entrypoints.acting import CodeText, Sentence, answer, permitted
from services.registry.entrypoints.refusals import problem_of, unknown_merge
from services.registry.handlers.merge_customers import Seen, propose_merge, refuse_merge, sign_merge
from services.registry.handlers.ports import Permit
from shared.auth.http import Caller, require
from shared.auth.policy import permit as may
from shared.auth.principals import Principal
from shared.etags import IfMatch, etag, not_modified, required_version
from shared.idempotency import Asked, IdempotencyKey
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.paging import Cursor, Limit

Number = Annotated[int, Path(ge=1, lt=2**63)]
State = Literal["proposed", "merged", "refused", "withdrawn"]
Version = Annotated[int | None, Field(ge=1, lt=2**63)]


class MergeIn(BaseModel):
    """Two codes of one customer: which goes on, which becomes its alias, and how one knows."""

    model_config = ConfigDict(extra="forbid")

    survivor: CodeText
    alias: CodeText
    reason: Sentence


class SignatureIn(BaseModel):
    """A signature. The versions of both customers as the preview showed them may come with it: what changed since is
    then refused, not signed unseen."""

    model_config = ConfigDict(extra="forbid")

    comment: Sentence | None = None
    survivor_version: Version = None
    alias_version: Version = None


class RefusalIn(BaseModel):
    """Why the merge shall not be."""

    model_config = ConfigDict(extra="forbid")

    reason: Sentence


class SignatureOut(BaseModel):
    person: str
    office: str
    signed_at: datetime
    comment: str | None


class MergeOut(BaseModel):
    """A merge. While it is proposed, `preview` is what it would do as things stand now, or `obstacle` what stands
    against it; once it is carried out, `preview` is what it did. `version` is also its ETag."""

    id: int
    survivor: str
    alias: str
    reason: str
    state: State
    requested_by: str
    requester_office: str | None
    requested_at: datetime
    signatures: list[SignatureOut]
    signatures_missing: int
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    preview: dict[str, Any] | None
    obstacle: str | None
    version: int


class MergesOut(BaseModel):
    items: list[MergeOut]
    next_cursor: str | None


def build_router(unit_of_work: UnitOfWork, reads: MergeReads) -> APIRouter:
    """The routes of merges."""
    router = APIRouter(prefix="/merges", tags=["merges"])

    async def told(work: Work, done: object, *, created: bool = False) -> tuple[dict[str, Any], bool]:
        if not isinstance(done, Proposal):
            raise problem_of(done)
        stored = await reads.stored(work, done.id)
        return MergeOut.model_validate(stored).model_dump(mode="json"), created

    @router.post("", summary="Propose that two customers be merged", status_code=201)
    async def propose(
        body: MergeIn, caller: Caller, response: Response, idempotency_key: IdempotencyKey = None
    ) -> MergeOut:
        """201 with the effect on both. Three approvers of three offices then sign, none of them the requester.
        For the roles `steward` and `centre`, on the units of both customers."""
        require(caller, "merges.propose")

        async def command(work: Work) -> tuple[dict[str, Any], bool]:
            done = await propose_merge(
                body.survivor,
                body.alias,
                body.reason,
                person=caller.user,
                permit=permitted(caller, "merges.propose"),
                customers=PostgresCustomers(work),
                merges=PostgresMerges(work),
                organisations=PostgresOrganisations(work),
            )
            return await told(work, done, created=True)

        asked = Asked("merges", caller.user, idempotency_key, body.model_dump(mode="json"))
        return MergeOut.model_validate(await answer(unit_of_work, asked, response, command))

    @router.get("", summary="Merges of customers in your scope")
    async def merges(
        caller: Caller,
        state: State | None = None,
        customer: CodeText | None = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> MergesOut:
        """The latest first; without previews, which each one has by itself."""
        require(caller, "merges.read")
        given = {"state": state, "customer": customer}
        filters = {name: value for name, value in given.items() if value is not None}
        items, following = await reads.listed(caller, filters, cursor, limit)
        return MergesOut.model_validate({"items": items, "next_cursor": following})

    @router.get("/{id}", summary="One merge and its effect", response_model=MergeOut)
    async def merge(id: Number, caller: Caller, request: Request, response: Response) -> Any:
        require(caller, "merges.read")
        found = await reads.one(caller, id)
        if found is None:
            raise unknown_merge(id)
        # While it is proposed, its preview changes with both customers and not with its own version alone.
        same = None if found["state"] == "proposed" else not_modified(request, found["version"])
        if same is not None:
            return same
        response.headers["etag"] = etag(found["version"])
        return found

    @router.post("/{id}/sign", summary="Sign a merge")
    async def sign(
        id: Number,
        caller: Caller,
        response: Response,
        body: SignatureIn | None = None,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> MergeOut:
        """With the third signature the merge is carried out in the same moment. For approvers on the units of both
        customers, none of them the requester, all three of different offices."""
        require(caller, "merges.sign")
        given = body or SignatureIn()
        seen = Seen(required_version(if_match), given.survivor_version, given.alias_version)

        async def command(work: Work) -> tuple[dict[str, Any], bool]:
            done = await sign_merge(
                id,
                given.comment,
                seen,
                person=caller.user,
                now=work.now,
                permit=_known(caller, id),
                customers=PostgresCustomers(work),
                counter_codes=PostgresCounterCodes(work),
                merges=PostgresMerges(work),
                organisations=PostgresOrganisations(work),
                timers=PostgresAgreementTimers(work),
                publish=publisher(work),
            )
            return await told(work, done)

        asked = Asked(f"merges/{id}/sign", caller.user, idempotency_key, given.model_dump(mode="json"))
        return MergeOut.model_validate(await answer(unit_of_work, asked, response, command))

    @router.post("/{id}/refuse", summary="Refuse or withdraw a merge")
    async def refuse(
        id: Number,
        body: RefusalIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> MergeOut:
        """Ends it for good: refused by an approver, withdrawn by who proposed it."""
        if may(caller, "merges.propose") is not None:
            require(caller, "merges.sign")
        seen = Seen(required_version(if_match))

        async def command(work: Work) -> tuple[dict[str, Any], bool]:
            done = await refuse_merge(
                id,
                body.reason,
                seen,
                person=caller.user,
                permit=_known(caller, id),
                customers=PostgresCustomers(work),
                merges=PostgresMerges(work),
                organisations=PostgresOrganisations(work),
            )
            return await told(work, done)

        asked = Asked(f"merges/{id}/refuse", caller.user, idempotency_key, body.model_dump(mode="json"))
        return MergeOut.model_validate(await answer(unit_of_work, asked, response, command))

    return router


def _known(caller: Principal, id: int) -> Permit:
    """May sign for this customer; a merge of customers outside the caller's scope is as if it were not there."""

    def check(customer: Customer, unit: Unit) -> None:
        if may(caller, "merges.read", unit.path) is not None:
            raise unknown_merge(id)
        require(caller, "merges.sign", unit.path)

    return check
