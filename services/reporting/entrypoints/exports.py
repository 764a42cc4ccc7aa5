"""Every table as CSV or XLSX, within the caller's rights, streamed and written down (REP-15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.adapters import export_log
from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import Row
from services.reporting.adapters.sheets import BYTE_ORDER_MARK, SheetColumn, Workbook, csv_line
from services.reporting.domain.refusals import MissingFilter
from services.reporting.entrypoints.exported_tables import TABLES, Exported
from services.reporting.entrypoints.http import REFUSALS
from services.reporting.entrypoints.state import Transactions, Views
from shared.auth.http import Caller, require
from shared.auth.principals import Principal
from shared.clock import SHANGHAI
from shared.contracts.tiering_v1 import Direction
from shared.listing import Page
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import declared
from shared.texts import Language, language_of

PAGE_ROWS: Final = 1_000
"""Each page is a transaction of its own: a reader who is slow to take the file holds nothing."""
CHUNK_BYTES: Final = 256 * 1024
MEDIA: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

Name = Literal[
    "customers", "movements", "revenue", "declarations", "windows", "plans", "suspense", "dead-letters",
    "tier-matrix", "alerts",
]  # fmt: skip
Form = Literal["csv", "xlsx"]
_NO_NUL: Final = r"^[^\x00]*$"
_Text = Annotated[str | None, Field(max_length=255, pattern=_NO_NUL)]


class ExportFilters(BaseModel):
    """The filters of all lists under their names there; a list passes over those that it has not. `state=all` lifts a
    state that a list shows by default; `from` and `to` are days, `to` exclusive."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    unit: _Text = None
    tier: _Text = None
    scheme: _Text = None
    key_account: bool | None = None
    q: _Text = None
    status: _Text = None
    kind: _Text = None
    agreement: bool | None = None
    order: Literal["code", "revenue"] | None = None
    customer: _Text = None
    direction: Direction | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    state: _Text = None
    waiting_for: _Text = None
    standing: _Text = None
    mine: bool | None = None
    reason: _Text = None
    code: _Text = None
    counter: _Text = None
    service: _Text = None
    topic: _Text = None
    alert: _Text = None
    open: bool | None = None
    year: Annotated[int | None, Field(ge=1, le=9999)] = None
    line: _Text = None
    from_: Annotated[date | None, Field(alias="from")] = None
    to: date | None = None

    def given(self) -> dict[str, Any]:
        """What was asked for; an empty field of a form is no filter."""
        return {
            name: value
            for name, value in self.model_dump(by_alias=True).items()
            if value is not None and value != ""
        }


router = APIRouter(prefix="/v1/exports", tags=["exports"])


@router.get(
    "/{name}.{form}",
    response_class=StreamingResponse,
    responses={
        200: {"content": {media: {} for media in MEDIA.values()}},
        **declared(*REFUSALS, MissingFilter),
    },
)
async def export(
    request: Request,
    views: Views,
    unit_of_work: Transactions,
    caller: Caller,
    name: Name,
    form: Form,
    filters: Annotated[ExportFilters, Query()],
) -> StreamingResponse:
    """A table as a file: the rows of the list of the same name, all of its pages, with titles in the caller's
    language. Text that a spreadsheet would take for a formula is made harmless."""
    table = TABLES[name]
    require(caller, table.operation)
    asked = filters.given()
    # The first page is fetched before the answer begins, so that a refusal is still an answer of its own.
    first = await table.page(views, caller, asked, None, PAGE_ROWS)

    async def run(work: Work) -> tuple[int, str]:
        number = await export_log.note(work, caller.user, name, form, asked)
        return number, work.now.astimezone(SHANGHAI).strftime("%Y%m%d-%H%M%S")

    number, at = await unit_of_work.run(run)
    rows = _pages(views, caller, table, asked, first)
    language = language_of(request.headers.get("accept-language"))
    writing = _csv if form == "csv" else _xlsx
    # The watermark: who took it, when, and under which number it was written down.
    mark = f"{name}-{at}-{_plain(caller.user)}-{number}"
    return StreamingResponse(
        writing(table, rows, language, mark, number, unit_of_work),
        media_type=MEDIA[form],
        headers={
            "content-disposition": f'attachment; filename="{mark}.{form}"',
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        },
    )


async def _pages(
    views: Reads,
    caller: Principal,
    table: Exported,
    asked: dict[str, Any],
    page: Page,
) -> AsyncIterator[list[Row]]:
    """The rows from this page on."""
    yield page.items
    while page.next_cursor is not None:
        page = await table.page(views, caller, asked, page.next_cursor, PAGE_ROWS)
        yield page.items


async def _csv(
    table: Exported,
    pages: AsyncIterator[list[Row]],
    language: Language,
    _mark: str,
    number: int,
    unit_of_work: UnitOfWork,
) -> AsyncIterator[bytes]:
    yield (BYTE_ORDER_MARK + csv_line([column.title(language) for column in table.columns])).encode()
    count = 0
    async for rows in pages:
        count += len(rows)
        yield "".join(csv_line(cells) for cells in table.cells(rows, language)).encode()
    await _count(unit_of_work, number, count)


async def _xlsx(
    table: Exported,
    pages: AsyncIterator[list[Row]],
    language: Language,
    mark: str,
    number: int,
    unit_of_work: UnitOfWork,
) -> AsyncIterator[bytes]:
    columns = [SheetColumn(column.title(language), column.width) for column in table.columns]
    book = await asyncio.to_thread(Workbook, table.title(language), columns, mark, unit_of_work.clock.now())
    try:
        count = 0
        async for rows in pages:
            count += len(rows)
            await asyncio.to_thread(book.add, table.cells(rows, language))
        await asyncio.to_thread(book.finish)
        with book.path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
        await _count(unit_of_work, number, count)
    finally:
        await asyncio.to_thread(book.remove)


async def _count(unit_of_work: UnitOfWork, number: int, count: int) -> None:
    async with unit_of_work.begin() as work:
        await export_log.note_rows(work, number, count)


def _plain(user: str) -> str:
    """A user's name as a part of a file's."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in user)[:40]
