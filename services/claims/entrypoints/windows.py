"""The routes of windows and cases (CLM-2, CLM-5): who holds which customer until when, and what slipped through."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from services.claims.adapters.plan_reads import PlanReads, case_of
from services.claims.adapters.plans import PostgresPlans
from services.claims.entrypoints.commands import Commands, refused
from services.claims.entrypoints.resources import (
    CaseOut,
    Cases,
    DecideCaseIn,
    WindowOut,
    Windows,
    case_out,
)
from services.claims.handlers.decide_case import decide_case
from services.claims.handlers.ports import Case
from shared.auth.http import Caller, require
from shared.auth.policy import permit
from shared.etags import IfMatch, check_version, etag, not_modified, required_version
from shared.idempotency import Asked, IdempotencyKey, answered_once
from shared.messaging.work import Work
from shared.paging import PAGE_DEFAULT, Cursor, Limit
from shared.problems import Problem

CaseId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Filter = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


def routes(commands: Commands, reads: PlanReads) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/windows", tags=["windows"], summary="Who holds which customer until when")
    async def windows(
        caller: Caller,
        customer: Filter = None,
        unit: Filter = None,
        state: Literal["registered", "active", "settling", "succeeded", "expired", "withdrawn"] | None = None,
        cursor: Cursor = None,
        limit: Limit = PAGE_DEFAULT,
    ) -> Windows:
        """Published to everybody inside, without what the plans say. Without `state`: those in force, settling or about
        to open. `customer` is a code, or `uscc:` and a credit code."""
        require(caller, "windows.read")
        given = {"customer": customer, "unit": unit, "state": state}
        filters = {name: value for name, value in given.items() if value is not None}
        rows, following = await reads.windows(caller, filters, cursor, limit)
        return Windows(items=[WindowOut(**row) for row in rows], next_cursor=following)

    @router.get("/windows/{customer_code:path}", tags=["windows"], summary="Who holds this customer")
    async def window(customer_code: str, caller: Caller, request: Request, response: Response) -> WindowOut:
        """404 `no_window` where nobody does."""
        require(caller, "windows.read")
        found = await reads.window(caller, customer_code) if "\x00" not in customer_code else None
        if found is None:
            raise Problem(
                404,
                "no_window",
                "该客户目前没有独家开发期。",
                "Nobody holds an exclusive window of this customer.",
            )
        response.headers["etag"] = etag(found["version"])
        return WindowOut(**found)

    @router.get("/cases", tags=["cases"], summary="What slipped through, for the centre")
    async def cases(
        caller: Caller,
        state: Literal["open", "decided"] | None = None,
        kind: Literal["late_agreement", "foreign_agreement", "merged_windows"] | None = None,
        customer: Filter = None,
        cursor: Cursor = None,
        limit: Limit = PAGE_DEFAULT,
    ) -> Cases:
        require(caller, "cases.read")
        given = {"state": state, "kind": kind, "customer": customer}
        filters = {name: value for name, value in given.items() if value is not None}
        rows, following = await reads.cases(caller, filters, cursor, limit)
        items = [case_out(case_of(row), row["customer_code"], row["name"]) for row in rows]
        return Cases(items=items, next_cursor=following)

    @router.get("/cases/{case_id}", tags=["cases"], response_model=CaseOut, summary="One case")
    async def case(case_id: CaseId, caller: Caller, request: Request, response: Response) -> Any:
        require(caller, "cases.read")
        row = await reads.case(caller, case_id)
        if row is None:
            raise _unknown()
        known = not_modified(request, row["version"])
        if known is not None:
            return known
        response.headers["etag"] = etag(row["version"])
        return case_out(case_of(row), row["customer_code"], row["name"])

    @router.post("/cases/{case_id}/decide", tags=["cases"], response_model=CaseOut, summary="Decide a case")
    async def decide(
        case_id: CaseId,
        body: DecideCaseIn,
        caller: Caller,
        response: Response,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:
        """Once, with a reason. It changes no window: it says to whom the development is attributed."""
        require(caller, "cases.decide")
        confirm = partial(check_version, required_version(if_match))

        def allow(found: Case) -> None:
            if permit(caller, "cases.read", found.unit_path) is not None:
                raise _unknown()
            require(caller, "cases.decide", found.unit_path)

        async def run(work: Work) -> Any:
            desk = commands.desk(work)
            done = await decide_case(desk, case_id, caller.user, body.decision, body.reason, allow, confirm)
            if not isinstance(done, Case):
                raise await refused(done, PostgresPlans(work))
            docket = await desk.docket(done.subject_id)
            assert docket is not None  # noqa: S101 - a case keeps its subject
            subject = docket.subject
            return case_out(done, subject.customer_code, subject.name).model_dump(mode="json")

        asked = Asked(f"cases/{case_id}/decide", caller.user, idempotency_key, body.model_dump())
        answer = await answered_once(commands.unit_of_work, asked, run)
        response.headers["etag"] = etag(answer["version"])
        return answer

    return router


def _unknown() -> Problem:
    return Problem(404, "unknown_case", "没有这个事项。", "There is no such case.")
