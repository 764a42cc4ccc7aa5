"""Imports of customers over HTTP: rows of an existing book, and what became of them (contract "Files", customers)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from services.registry.adapters.read_models import IMPORT_ROWS, own_import
from services.registry.domain.import_rows import FIELDS, Rejected
from services.registry.domain.importing import Loaded, Outcome, Result
from services.registry.entrypoints.acting import Acts, Reader, when_loaded
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.import_customers import (
    ROWS_MAX,
    Imported,
    UnknownImport,
    counts,
    import_customers,
)
from services.registry.handlers.ports import Holder, ImportChunk
from shared.auth.http import Caller, require
from shared.auth.policy import permit
from shared.commands import AnyCall, described
from shared.paging import BadCursor, Cursor, Limit
from shared.problems import Problem, declared

Cell = Annotated[str | None, Field(max_length=4000)]
"""Long enough for every honest cell; it only bounds the size of a request."""
ImportId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


class ImportRowIn(BaseModel):
    """One row of the file as it was read: text by column, blanks left out or empty. What is wrong in a row is answered
    for that row and never refuses the others, so the fields are not checked here."""

    model_config = ConfigDict(extra="ignore")

    row: int = Field(ge=2, le=10_000_000, description="The row in the file; the header is row 1.")
    name: Cell = None
    customer_code: Cell = Field(default=None, description="A legacy code to keep; else one is assigned.")
    uscc: Cell = None
    unit_code: Cell = None
    division: Cell = None
    industry: Cell = None
    kind: Cell = None
    agreement_no: Cell = None
    agreement_signed_on: Cell = None
    agreement_ends_on: Cell = None
    manager_a: Cell = None
    manager_b: Cell = None


class ImportIn(BaseModel):
    """Some rows of a file. All chunks of one import carry the same first four members."""

    import_id: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    file_name: str = Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")
    file_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    rows_total: int = Field(ge=1, le=10_000_000)
    rows: list[ImportRowIn] = Field(min_length=1, max_length=ROWS_MAX)


class ImportRowOut(BaseModel):
    """What became of a row. `reasons` say why it was rejected, `notices` what a person should look at."""

    row: int
    result: Result
    customer_code: str | None
    reasons: list[str] = []
    notices: list[str] = []
    similar: list[str] = Field(default=[], description="Customers of a similar name that you may read.")
    similar_elsewhere: list[str] = Field(
        default=[],
        description="Units that hold others of a similar name: who holds them, not which they are.",
    )


class ImportOut(BaseModel):
    """The answer to a chunk: each row's result in the order sent, and how many there were of each."""

    import_id: str
    counts: dict[str, int]
    results: list[ImportRowOut]


class ImportRecordOut(BaseModel):
    """An import as it was recorded: who loaded which file, and what became of it so far."""

    id: str
    person: str
    file_name: str
    file_sha256: str
    rows_total: int
    rows_done: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    started_at: datetime
    changed_at: datetime


class ImportRowsOut(BaseModel):
    items: list[ImportRowOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


router = APIRouter(prefix="/v1/customer-imports", tags=["imports"], dependencies=[Depends(when_loaded)])


@router.post("", summary="Load rows of an existing book of customers", **described(import_customers))
async def load(body: ImportIn, call: AnyCall, door: Acts) -> ImportOut:
    """Up to 500 rows, one transaction. The same rows again change nothing; with the same `Idempotency-Key` the same
    answer is given again. For the role `centre`, on the units that it covers."""
    rows = tuple((row.row, row.model_dump(include=set(FIELDS))) for row in body.rows)
    chunk = ImportChunk(body.import_id, body.file_name, body.file_sha256, body.rows_total, rows)
    return await door.carry_out(call, "customers.import", import_customers, chunk, shown, by_content=True)


@router.get("/{import_id}", summary="One import of your own", responses=declared(UnknownImport))
async def import_record(import_id: ImportId, caller: Caller, reader: Reader) -> ImportRecordOut:
    require(caller, "customers.import")
    found = await own_import(reader, caller, import_id)
    if found is None:
        raise Problem(UnknownImport())
    return ImportRecordOut.model_validate(found)


@router.get("/{import_id}/rows", summary="Its rows and their results", responses=declared(BadCursor))
async def import_rows(
    import_id: ImportId,
    caller: Caller,
    reader: Reader,
    result: Result | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ImportRowsOut:
    require(caller, "customers.import")
    page = await IMPORT_ROWS.read(reader, caller, {"import": import_id, "result": result}, cursor, limit)
    items = [ImportRowOut.model_validate(each) for each in page.items]
    return ImportRowsOut(items=items, next_cursor=page.next_cursor)


async def shown(desk: ActDesk, done: Imported) -> ImportOut:
    """Each row's result. Of customers of a similar name those are named that the caller may read, of others their units."""
    similar = {code for each in done.outcomes if isinstance(each, Loaded) for code in each.similar}
    holders = await desk.imports.holders(similar)
    readable = {
        code
        for code, held in holders.items()
        if permit(desk.caller, "customers.read", held.unit_path, held.managers) is None
    }
    return ImportOut(
        import_id=done.import_id,
        counts=dict(counts(done.outcomes)),
        results=[_result(each, holders, readable) for each in done.outcomes],
    )


def _result(outcome: Outcome, holders: Mapping[str, Holder], readable: Collection[str]) -> ImportRowOut:
    if isinstance(outcome, Rejected):
        return ImportRowOut(
            row=outcome.row, result="rejected", customer_code=outcome.code, reasons=list(outcome.reasons)
        )
    assert isinstance(outcome, Loaded)  # noqa: S101 - the union has two members
    return ImportRowOut(
        row=outcome.row,
        result=outcome.result,
        customer_code=outcome.after.code,
        notices=list(outcome.notices),
        similar=[code for code in outcome.similar if code in readable],
        similar_elsewhere=sorted(
            {holders[code].unit_code for code in outcome.similar if code not in readable}
        ),
    )
