"""Merges over HTTP: proposed, signed, refused, read (REG-7)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.registry.adapters.merge_reads import merge_in_scope, merges_in_scope
from services.registry.domain.merging import Proposal, UnknownMerge
from services.registry.entrypoints.acting import Acts, CodeText, Number, Reader, Sentence, when_loaded
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.merge_customers import (
    ProposeMerge,
    RefuseMerge,
    SignMerge,
    propose_merge,
    refuse_merge,
    sign_merge,
)
from shared.auth.http import Caller, require
from shared.auth.policy import Operation, permit
from shared.commands import AnyCall, VersionedCall, described
from shared.etags import etag, not_modified
from shared.paging import BadCursor, Cursor, Limit
from shared.problems import Problem, declared

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


router = APIRouter(prefix="/v1/merges", tags=["merges"], dependencies=[Depends(when_loaded)])


@router.post("", summary="Propose that two customers be merged", **described(propose_merge, created=True))
async def propose(body: MergeIn, call: AnyCall, door: Acts) -> MergeOut:
    """201 with the effect on both. Three approvers of three offices then sign, none of them the requester.
    For the roles `steward` and `centre`, on the units of both customers."""
    command = ProposeMerge(body.survivor, body.alias, body.reason)
    return await door.carry_out(call, "merges.propose", propose_merge, command, shown)


@router.get("", summary="Merges of customers in your scope", responses=declared(BadCursor))
async def merges(
    caller: Caller,
    reader: Reader,
    state: State | None = None,
    customer: CodeText | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> MergesOut:
    """The latest first; without previews, which each one has by itself."""
    require(caller, "merges.read")
    page = await merges_in_scope(reader, caller, {"state": state, "customer": customer}, cursor, limit)
    items = [MergeOut.model_validate(each) for each in page.items]
    return MergesOut(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}", summary="One merge and its effect", response_model=MergeOut, responses=declared(UnknownMerge)
)
async def merge(
    id: Number, caller: Caller, reader: Reader, request: Request, response: Response
) -> MergeOut | Response:
    require(caller, "merges.read")
    found = await merge_in_scope(reader, caller, id)
    if found is None:
        raise Problem(UnknownMerge(id))
    # While it is proposed, its preview changes with both customers and not with its own version alone.
    same = None if found["state"] == "proposed" else not_modified(request, found["version"])
    if same is not None:
        return same
    response.headers["etag"] = etag(found["version"])
    return MergeOut.model_validate(found)


@router.post("/{id}/sign", summary="Sign a merge", **described(sign_merge, versioned=True))
async def sign(id: Number, call: VersionedCall, door: Acts, body: SignatureIn | None = None) -> MergeOut:
    """With the third signature the merge is carried out in the same moment. For approvers on the units of both
    customers, none of them the requester, all three of different offices."""
    given = body or SignatureIn()
    command = SignMerge(id, given.comment, given.survivor_version, given.alias_version)
    return await door.carry_out(call, "merges.sign", sign_merge, command, shown)


@router.post("/{id}/refuse", summary="Refuse or withdraw a merge", **described(refuse_merge, versioned=True))
async def refuse(id: Number, body: RefusalIn, call: VersionedCall, door: Acts) -> MergeOut:
    """Ends it for good: refused by an approver, withdrawn by who proposed it."""
    proposes = permit(call.caller, "merges.propose") is None
    operation: Operation = "merges.propose" if proposes else "merges.sign"
    return await door.carry_out(call, operation, refuse_merge, RefuseMerge(id, body.reason), shown)


async def shown(desk: ActDesk, proposal: Proposal) -> MergeOut:
    """The merge as this transaction leaves it."""
    return MergeOut.model_validate(await desk.merges.record(proposal.id))
