"""Rebuilding and comparing the views over HTTP (REP-1)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.adapters import rebuilds
from services.reporting.adapters.reads.rows import Row
from services.reporting.domain.refusals import RebuildUnderWay, UnknownRebuild
from services.reporting.entrypoints.http import REFUSALS
from services.reporting.entrypoints.state import Rebuilding, Transactions
from shared.auth.http import Caller, require
from shared.contracts.fields import Instant, Part
from shared.http_fields import RowNumber
from shared.idempotency import Asked, IdempotencyKey, IdempotencyKeyReused, answered_once
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work
from shared.problems import NotJson, Problem, declared


class Rebuild(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    compare_only: bool = Field(default=False, description="Report the differences and change nothing.")
    accept_differences: bool = Field(
        default=False,
        description="Put the rebuilt views in place even where they differ from the served ones.",
    )


class ComparedView(Part):
    """One view beside its rebuilt copy."""

    view: str
    rows: int = Field(description="Of the copy.")
    only_served: int
    only_rebuilt: int
    different: int
    examples: list[str] = Field(description="Keys of some rows that differ, at most 20 of each kind.")
    kept_from_expired: int = Field(
        description="Rows taken over from the served view, because the records that they came from have expired."
    )


class ExpiredRecords(Part):
    """Records that a topic no longer has, from its first offset to the first one that is left."""

    topic: str
    partition: int
    records: int


class Report(Part):
    """How a rebuild ended."""

    differences: int = 0
    exchanged: bool = Field(default=False, description="The rebuilt views are the served ones now.")
    views: list[ComparedView] = Field(default_factory=list)
    expired: list[ExpiredRecords] = Field(default_factory=list)
    skipped: int = Field(default=0, description="Records that our own code could not take.")
    error: str | None = None


class RebuildState(Part):
    """A rebuild and how far it is."""

    id: int
    compare_only: bool
    accept_differences: bool
    state: Literal["asked", "running", "done", "differs", "failed"] = Field(
        description="`differs`: there were differences, and the served views stay."
    )
    asked_by: str
    asked_at: Instant
    finished_at: Instant | None
    records_read: int
    records_to_read: int | None
    report: Report | None


class RebuildStates(Part):
    """The latest first."""

    items: list[RebuildState]


router = APIRouter(prefix="/v1/views", tags=["views"], responses=declared(*REFUSALS))


@router.post(
    "/rebuild", status_code=202, responses=declared(*REFUSALS, NotJson, IdempotencyKeyReused, RebuildUnderWay)
)
async def rebuild(
    unit_of_work: Transactions,
    rebuilder: Rebuilding,
    caller: Caller,
    asked: Rebuild,
    idempotency_key: IdempotencyKey = None,
) -> RebuildState:
    """Build all views anew from the topics while the old ones serve, compare the two, and let the new ones take over
    where nothing differs. Answers at once; `GET /v1/views/rebuilds/{number}` tells how it goes."""
    require(caller, "views.rebuild")

    async def run(work: Work) -> Any:
        number = await rebuilds.ask(
            work,
            caller.user,
            compare_only=asked.compare_only,
            accept_differences=asked.accept_differences,
        )
        if number is None:
            raise Problem(RebuildUnderWay())
        return number

    once = Asked("views/rebuild", caller.user, idempotency_key, asked.model_dump())
    number: int = await answered_once(unit_of_work, once, run)
    rebuilder.wake()
    return await _state(unit_of_work, number)


@router.get("/rebuilds")
async def listed(
    unit_of_work: Transactions, caller: Caller, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> RebuildStates:
    """Rebuilds and comparisons, the latest first."""
    require(caller, "views.rebuild")
    async with unit_of_work.engine.connect() as connection:
        rows = await rebuilds.latest(connection, limit)
    return RebuildStates(items=[_shown(row) for row in rows])


@router.get("/rebuilds/{number}", responses=declared(*REFUSALS, UnknownRebuild))
async def one(unit_of_work: Transactions, caller: Caller, number: RowNumber) -> RebuildState:
    """How far a rebuild is, and what it found."""
    require(caller, "views.rebuild")
    return await _state(unit_of_work, number)


async def _state(unit_of_work: UnitOfWork, number: RowNumber) -> RebuildState:
    # Beyond eight bytes there is no such number either.
    row: Row | None = None
    if 0 < number < 2**63:
        async with unit_of_work.engine.connect() as connection:
            row = await rebuilds.one(connection, number)
    if row is None:
        raise Problem(UnknownRebuild())
    return _shown(row)


def _shown(row: Row) -> RebuildState:
    return RebuildState.model_validate(row)
