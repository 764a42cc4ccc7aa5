"""Delegations of deciding over HTTP (`/v1/decision-delegations`): somebody decides for a unit on some days (REG-3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from services.registry.adapters.declarations import PostgresDelegations
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.domain.delegating import Term, deputy_faults
from services.registry.entrypoints import declaration_problems as problems
from services.registry.entrypoints.declaration_commands import Parts
from services.registry.entrypoints.declaration_models import (
    CommentIn,
    DelegationIn,
    DelegationOut,
    DelegationsOut,
    delegation_out,
)
from services.registry.entrypoints.declarations import Filter, when_loaded
from services.registry.handlers.declaration_ports import Delegation
from shared.auth.http import Caller, require
from shared.auth.policy import TABLE
from shared.clock import business_date
from shared.etags import IfMatch, check_version, etag, required_version
from shared.http_fields import Flag
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.ids import new_id
from shared.messaging.work import Work
from shared.paging import PAGE_DEFAULT, Cursor, Limit
from shared.problems import Problem
from shared.texts import language_of


def routes(parts: Parts) -> APIRouter:
    """All routes of delegations."""
    router = APIRouter(
        prefix="/v1/decision-delegations", tags=["declarations"], dependencies=[when_loaded(parts.loaded)]
    )

    @router.post("", status_code=201, summary="Have somebody decide in your place")
    async def delegate(
        body: DelegationIn,
        caller: Caller,
        request: Request,
        response: Response,
        idempotency_key: IdempotencyKey = None,
    ) -> DelegationOut:
        """For a unit that you decide for, on the days from `from_on` to `to_on`. Their decisions are recorded as made for
        you, and the delegation holds only as long as you decide there yourself and they are of the unit. The deputy's post is
        in the unit, with a deciding role or in your office; the days begin today or later and are 62 at most (default)."""
        require(caller, "declarations.decide")

        async def run(work: Work) -> Any:
            organisations = PostgresOrganisations(work)
            organisation = await organisations.load()
            unit = organisation.units.get(body.unit_code)
            if unit is not None:
                require(caller, "declarations.decide", unit.path)
            named = organisation.managers.get(body.to_user)
            deputy = None if named is None else await organisations.staff_member(named)
            own = await organisations.staff_member(caller.user)
            office = None if own is None or own.unit is None else (own.unit, own.office)
            term = Term(body.from_on, body.to_on, business_date(work.now), parts.limits.delegation_days_max)
            faults = [
                *deputy_faults(caller.user, deputy, unit, office, TABLE["declarations.decide"]),
                *term.faults(),
            ]
            if faults or deputy is None:
                raise problems.broken_fields(faults, language_of(request.headers.get("accept-language")))
            delegation = Delegation(
                new_id(), caller.user, deputy.user, body.unit_code, body.from_on, body.to_on, work.now
            )
            await PostgresDelegations(work).add(delegation)
            return delegation_out(delegation).model_dump(mode="json")

        asked = Asked("decision-delegations", caller.user, idempotency_key, body.model_dump(mode="json"))
        answer = await answered_once(parts.unit_of_work, asked, run)
        response.headers["etag"] = etag(answer["version"])
        return DelegationOut.model_validate(answer)

    @router.get("", summary="Delegations in your scope, by you or to you")
    async def list_delegations(
        caller: Caller,
        unit: Filter = None,
        to_user: Filter = None,
        active: Flag | None = None,
        cursor: Cursor = None,
        limit: Limit = PAGE_DEFAULT,
    ) -> DelegationsOut:
        """The latest first. `active` are those not revoked whose last day has not passed."""
        require(caller, "declarations.read")
        given = {"unit": unit, "to_user": to_user, "active": active}
        filters = {name: value for name, value in given.items() if value is not None}
        found, following = await parts.reads.delegations(caller, filters, cursor, limit, parts.today())
        return DelegationsOut(items=[delegation_out(each) for each in found], next_cursor=following)

    @router.post("/{id}/revoke", summary="End a delegation at once")
    async def revoke(
        id: str,
        body: CommentIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> DelegationOut:
        """By whoever gave it, or somebody else who decides for the unit. What was decided by it stays."""
        require(caller, "declarations.read")

        async def run(work: Work) -> Any:
            store = PostgresDelegations(work)
            found = await store.locked(id) if "\x00" not in id else None
            if found is None:
                raise _unknown()
            if caller.user == found.to_user:
                raise Problem(
                    403,
                    "not_delegator",
                    "只有委托人或本机构审批人可以撤销委托。",
                    "Only whoever gave it, or another who decides for the unit, may revoke it.",
                )
            if caller.user != found.from_user:
                units = await PostgresOrganisations(work).units([found.unit_code])
                require(caller, "declarations.decide", units[found.unit_code].path)
            if found.revoked_at is None:
                check_version(required_version(if_match), found.version)
                found = replace(found, revoked_at=work.now, revoked_by=caller.user, version=found.version + 1)
                await store.store(found)
            return delegation_out(found).model_dump(mode="json")

        asked = Asked(f"decision-delegations/{id}/revoke", caller.user, idempotency_key, body.model_dump())
        answer = await answered_once(parts.unit_of_work, asked, run)
        response.headers["etag"] = etag(answer["version"])
        return DelegationOut.model_validate(answer)

    return router


def _unknown() -> Problem:
    return Problem(404, "unknown_delegation", "没有这项委托。", "There is no such delegation.")
