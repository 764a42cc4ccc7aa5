"""The registry's resources over HTTP (`/v1`): imports of customers, customers, units and staff."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.registry.adapters.agreement_timers import PostgresAgreementTimers
from services.registry.adapters.customers import PostgresCustomers
from services.registry.adapters.imports import HeldBy, PostgresImports
from services.registry.adapters.organisation import PostgresOrganisations
from services.registry.adapters.publishing import publisher
from services.registry.adapters.read_models import Page, ReadModels
from services.registry.domain.import_rows import FIELDS, Rejected
from services.registry.domain.importing import Loaded, Outcome, Result
from services.registry.entrypoints.answers import CustomerFileOut, CustomerOut
from services.registry.entrypoints.refusals import unknown_customer
from services.registry.handlers.import_customers import ROWS_MAX, ImportRefused, counts, import_customers
from services.registry.handlers.ports import ImportChunk, Rules
from shared.auth.http import Caller, require
from shared.auth.policy import permit, reach
from shared.auth.principals import Principal
from shared.clock import business_date
from shared.etags import etag, not_modified
from shared.idempotency import Asked, IdempotencyKey, answered_once, unavailable
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.paging import Cursor, Limit
from shared.problems import Problem

Cell = Annotated[str | None, Field(max_length=4000)]
"""Long enough for every honest cell; it only bounds the size of a request."""
ImportId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Filter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


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


class UnitOut(BaseModel):
    unit_code: str
    name_zh: str
    name_en: str
    level: str
    parent: str | None
    path: str
    lines: list[str]
    division: str | None
    city_group: int | None
    centre: bool
    valid_from: date | None
    valid_to: date | None
    version: int


class RoleOut(BaseModel):
    role: str
    unit: str


class StaffOut(BaseModel):
    user: str
    name_zh: str
    name_en: str
    unit_code: str | None = Field(default=None, description="The unit of the person's post.")
    office: str
    active: bool
    roles: list[RoleOut]


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


class CustomersOut(BaseModel):
    items: list[CustomerOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


class UnitsOut(BaseModel):
    items: list[UnitOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


class StaffListOut(BaseModel):
    items: list[StaffOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


class ImportRowsOut(BaseModel):
    items: list[ImportRowOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


def build_router(
    unit_of_work: UnitOfWork, reads: ReadModels, rules: Rules, loaded: Callable[[], bool]
) -> APIRouter:
    """All routes of the registry. Until `loaded` they answer 503: without the organisation every row of an import
    would be refused for its unit, and that answer would be kept for its key."""

    async def when_loaded() -> None:
        if not loaded():
            raise unavailable()

    router = APIRouter(prefix="/v1", dependencies=[Depends(when_loaded)])

    @router.post("/customer-imports", tags=["imports"], summary="Load rows of an existing book of customers")
    async def load(body: ImportIn, caller: Caller, idempotency_key: IdempotencyKey = None) -> ImportOut:
        """Up to 500 rows, one transaction. The same rows again change nothing; with the same `Idempotency-Key` the same
        answer is given again. For the role `centre`, on the units that it covers."""
        require(caller, "customers.import")
        _unique_rows(body)
        chunk = ImportChunk(
            body.import_id,
            body.file_name,
            body.file_sha256,
            body.rows_total,
            tuple((row.row, {name: getattr(row, name) for name in FIELDS}) for row in body.rows),
        )

        async def command(work: Work) -> Any:
            outcomes = await import_customers(
                chunk,
                person=caller.user,
                scopes=reach(caller, "customers.import").paths,
                now=work.now,
                today=business_date(work.now),
                rules=rules,
                customers=PostgresCustomers(work),
                imports=PostgresImports(work),
                organisations=PostgresOrganisations(work),
                timers=PostgresAgreementTimers(work),
                publish=publisher(work),
            )
            if isinstance(outcomes, ImportRefused):
                # Raised inside the transaction, so that nothing of it stays, the key included.
                raise Problem(
                    409,
                    "import_conflict",
                    "此导入编号已用于其他人或其他文件。",
                    "This import id belongs to another person or another file.",
                )
            similar = {code for each in outcomes if isinstance(each, Loaded) for code in each.similar}
            holders = await PostgresImports(work).holders(similar)
            return _answer(chunk.import_id, outcomes, holders, caller).model_dump()

        asked = Asked("customer-imports", caller.user, idempotency_key, body.model_dump(), by_content=True)
        answer = await answered_once(unit_of_work, asked, command)
        return ImportOut.model_validate(answer)

    @router.get("/customer-imports/{import_id}", tags=["imports"], summary="One import of your own")
    async def import_record(import_id: ImportId, caller: Caller) -> ImportRecordOut:
        require(caller, "customers.import")
        found = await reads.customer_import(caller, import_id)
        if found is None:
            raise _unknown("unknown_import", "没有这次导入。", "There is no such import.")
        return ImportRecordOut.model_validate(found)

    @router.get("/customer-imports/{import_id}/rows", tags=["imports"], summary="Its rows and their results")
    async def import_rows(
        import_id: ImportId,
        caller: Caller,
        result: Result | None = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> ImportRowsOut:
        require(caller, "customers.import")
        filters = _filters(result=result)
        return ImportRowsOut.model_validate(
            _told(await reads.import_rows(caller, import_id, filters, cursor, limit))
        )

    @router.get("/customers", tags=["customers"], summary="Customers in your scope")
    async def customers(
        caller: Caller,
        unit: Filter = None,
        name: Filter = None,
        uscc: Filter = None,
        manager: Filter = None,
        status: Literal["active", "retired", "merged", "annulled"] | None = None,
        kind: Literal["potential", "active"] | None = None,
        agreement: Literal["in_force", "none"] | None = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> CustomersOut:
        """In the order of registration. `unit` includes everything below it, `name` finds a part of a name."""
        require(caller, "customers.read")
        filters = _filters(
            unit=unit, name=name, uscc=uscc, manager=manager, status=status, kind=kind, agreement=agreement
        )
        return CustomersOut.model_validate(_told(await reads.customers(caller, filters, cursor, limit)))

    @router.get(
        "/customers/{code:path}",
        tags=["customers"],
        summary="One customer",
        response_model=CustomerFileOut,
        responses={304: {"description": "The version that `If-None-Match` names is the current one."}},
    )
    async def customer(code: str, caller: Caller, request: Request, response: Response) -> Any:
        """Answers 404 for a customer outside your scope as for one that does not exist. A customer that was merged is
        answered with its `survivor` named."""
        require(caller, "customers.read")
        found = await reads.customer(caller, code) if "\x00" not in code else None
        if found is None:
            raise unknown_customer()
        # An alias answers with its survivor, which changes with later merges and not with the alias's own version.
        same = None if found["survivor"] else not_modified(request, found["version"])
        if same is not None:
            return same
        response.headers["etag"] = etag(found["version"])
        return found

    @router.get("/units", tags=["organisation"], summary="Units in your scope")
    async def units(
        caller: Caller,
        unit: Filter = None,
        parent: Filter = None,
        level: Literal["national", "province", "city", "professional", "county", "outlet"] | None = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> UnitsOut:
        require(caller, "units.read")
        filters = _filters(unit=unit, parent=parent, level=level)
        return UnitsOut.model_validate(_told(await reads.units(caller, filters, cursor, limit)))

    @router.get("/units/{code}", tags=["organisation"], summary="One unit")
    async def unit(code: str, caller: Caller) -> UnitOut:
        require(caller, "units.read")
        found = await reads.unit(caller, code) if "\x00" not in code else None
        if found is None:
            raise _unknown("unknown_unit", "没有这个机构。", "There is no such unit.")
        return UnitOut.model_validate(found)

    @router.get("/staff", tags=["organisation"], summary="People and their roles in your scope")
    async def staff(caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> StaffListOut:
        require(caller, "staff.read")
        return StaffListOut.model_validate(_told(await reads.staff(caller, cursor, limit)))

    return router


def _told(page: Page) -> dict[str, Any]:
    return {"items": page.items, "next_cursor": page.next_cursor}


def _filters(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}


def _unknown(code: str, zh: str, en: str) -> Problem:
    return Problem(404, code, zh, en)


def _unique_rows(body: ImportIn) -> None:
    rows = [row.row for row in body.rows]
    if len(set(rows)) != len(rows):
        raise Problem(422, "duplicate_rows", "同一行号出现多次。", "The same row number stands twice.")


def _answer(
    import_id: str, outcomes: list[Outcome], holders: Mapping[str, HeldBy], caller: Principal
) -> ImportOut:
    readable = {
        code
        for code, held in holders.items()
        if permit(caller, "customers.read", held.unit_path, held.managers) is None
    }
    return ImportOut(
        import_id=import_id,
        counts=dict(counts(outcomes)),
        results=[_result(each, holders, readable) for each in outcomes],
    )


def _result(outcome: Outcome, holders: Mapping[str, HeldBy], readable: Collection[str]) -> ImportRowOut:
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
