"""The routes of windows (CLM-2): who holds which customer until when."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from services.claims.adapters.read_models import LIVE_WINDOWS, WINDOWS, read_window
from services.claims.domain.refusals import NoWindow
from services.claims.entrypoints.commands import Reader, answers
from services.claims.entrypoints.http.models import Filter, WindowOut, Windows
from shared.auth.http import Caller, require
from shared.etags import etag
from shared.paging import PAGE_DEFAULT, BadCursor, Cursor, Limit
from shared.problems import Problem

router = APIRouter(prefix="/v1", tags=["windows"])


@router.get("/windows", summary="Who holds which customer until when", responses=answers(BadCursor))
async def windows(
    caller: Caller,
    reader: Reader,
    customer: Filter = None,
    unit: Filter = None,
    state: Literal["registered", "active", "settling", "succeeded", "expired", "withdrawn"] | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Windows:
    """Published to everybody inside, without what the plans say. Without `state`: those in force, settling or about
    to open. `customer` is a code, or `uscc:` and a credit code."""
    require(caller, "windows.read")
    listed = LIVE_WINDOWS if state is None else WINDOWS
    asked = {"customer": customer, "unit": unit, "state": state}
    page = await listed.read(reader, caller, asked, cursor, limit)
    return Windows(items=[WindowOut(**row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/windows/{customer_code:path}", summary="Who holds this customer", responses=answers(NoWindow))
async def window(customer_code: str, caller: Caller, reader: Reader, response: Response) -> WindowOut:
    """404 `no_window` where nobody does."""
    require(caller, "windows.read")
    found = await read_window(reader, caller, customer_code) if "\x00" not in customer_code else None
    if found is None:
        raise Problem(NoWindow())
    response.headers["etag"] = etag(found["version"])
    return WindowOut(**found)
