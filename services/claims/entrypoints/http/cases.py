"""The routes of cases (CLM-5): what slipped through, for the centre."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response

from services.claims.adapters.read_models import CASES, case_of, read_case
from services.claims.domain.refusals import UnknownCase
from services.claims.entrypoints.commands import Door, Reader, answers
from services.claims.entrypoints.http.models import CaseOut, Cases, DecideCaseIn, Filter, case_out
from services.claims.handlers.decide_case import DecideCase, decide_case
from services.claims.handlers.desk import Desk
from services.claims.handlers.ports import Case
from shared.auth.http import Caller, require
from shared.commands import VersionedCall, described
from shared.etags import etag, not_modified
from shared.paging import PAGE_DEFAULT, BadCursor, Cursor, Limit
from shared.problems import Problem

router = APIRouter(prefix="/v1", tags=["cases"])
CaseId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


async def show_case(desk: Desk, case: Case) -> CaseOut:
    docket = await desk.docket(case.subject_id)
    assert docket is not None  # noqa: S101 - a case keeps its subject
    return case_out(case, docket.subject.customer_code, docket.subject.name)


@router.get("/cases", summary="What slipped through, for the centre", responses=answers(BadCursor))
async def cases(
    caller: Caller,
    reader: Reader,
    state: Literal["open", "decided"] | None = None,
    kind: Literal["late_agreement", "foreign_agreement", "merged_windows"] | None = None,
    customer: Filter = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Cases:
    require(caller, "cases.read")
    asked = {"state": state, "kind": kind, "customer": customer}
    page = await CASES.read(reader, caller, asked, cursor, limit)
    items = [case_out(case_of(row), row["customer_code"], row["name"]) for row in page.items]
    return Cases(items=items, next_cursor=page.next_cursor)


@router.get("/cases/{case_id}", response_model=CaseOut, summary="One case", responses=answers(UnknownCase))
async def case(
    case_id: CaseId, caller: Caller, reader: Reader, request: Request, response: Response
) -> CaseOut | Response:
    require(caller, "cases.read")
    row = await read_case(reader, caller, case_id)
    if row is None:
        raise Problem(UnknownCase())
    known = not_modified(request, row["version"])
    if known is not None:
        return known
    response.headers["etag"] = etag(row["version"])
    return case_out(case_of(row), row["customer_code"], row["name"])


@router.post("/cases/{case_id}/decide", summary="Decide a case", **described(decide_case, versioned=True))
async def decide(case_id: CaseId, body: DecideCaseIn, call: VersionedCall, door: Door) -> CaseOut:
    """Once, with a reason. It changes no window: it says to whom the development is attributed."""
    command = DecideCase(case_id, body.decision, body.reason)
    return await door.carry_out(call, "cases.decide", decide_case, command, show_case)
