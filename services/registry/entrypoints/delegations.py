"""Delegations of deciding over HTTP (`/v1/decision-delegations`): somebody decides for a unit on some days (REG-3)."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from services.registry.entrypoints.declaration_desk import Door, Filter, FromParts, when_loaded
from services.registry.entrypoints.declaration_models import (
    CommentIn,
    DelegationIn,
    DelegationOut,
    DelegationsOut,
)
from services.registry.entrypoints.declaration_views import delegation_out, delegation_shown
from services.registry.handlers.delegate import Delegate, Revoke, revoke_delegation
from services.registry.handlers.delegate import delegate as delegate_deciding
from shared.auth.http import Caller, require
from shared.commands import AnyCall, VersionedCall, described
from shared.http_fields import Flag
from shared.paging import PAGE_DEFAULT, Cursor, Limit

router = APIRouter(
    prefix="/v1/decision-delegations", tags=["declarations"], dependencies=[Depends(when_loaded)]
)


@router.post("", summary="Have somebody decide in your place", **described(delegate_deciding, created=True))
async def delegate(body: DelegationIn, call: AnyCall, door: Door) -> DelegationOut:
    """For a unit that you decide for, on the days from `from_on` to `to_on`. Their decisions are recorded as made for
    you, and the delegation holds only as long as you decide there yourself and they are of the unit. The deputy's post is
    in the unit, with a deciding role or in your office; the days begin today or later and are 62 at most (default)."""
    command = Delegate(body.to_user, body.unit_code, body.from_on, body.to_on)
    return await door.carry_out(call, "declarations.decide", delegate_deciding, command, delegation_shown)


@router.get("", summary="Delegations in your scope, by you or to you")
async def list_delegations(
    caller: Caller,
    parts: FromParts,
    unit: Filter = None,
    to_user: Filter = None,
    active: Flag | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> DelegationsOut:
    """The latest first. `active` are those not revoked whose last day has not passed."""
    require(caller, "declarations.read")
    asked = {"unit": unit, "to_user": to_user, "active": active}
    found, following = await parts.reads.delegations(caller, asked, cursor, limit)
    return DelegationsOut(items=[delegation_out(each) for each in found], next_cursor=following)


@router.post(
    "/{id}/revoke", summary="End a delegation at once", **described(revoke_delegation, versioned=True)
)
async def revoke(id: str, body: CommentIn, call: VersionedCall, door: Door) -> DelegationOut:
    """By whoever gave it, or somebody else who decides for the unit. What was decided by it stays."""
    command = Revoke(id, body.comment)
    return await door.carry_out(call, "declarations.read", revoke_delegation, command, delegation_shown)
