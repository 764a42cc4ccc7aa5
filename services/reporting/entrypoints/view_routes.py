"""The views as JSON for programs: the figures of the console's pages. Money is yuan, as everywhere outside."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.reporting.adapters.reads.alerts import AlertFilter
from services.reporting.adapters.reads.alerts import alerts as read_alerts
from services.reporting.adapters.reads.customer360 import customer360 as read_customer360
from services.reporting.adapters.reads.dashboard import dashboard as read_dashboard
from services.reporting.adapters.reads.movements import tier_matrix as read_tier_matrix
from services.reporting.adapters.reads.revenue import RevenueGroup
from services.reporting.adapters.reads.revenue import revenue as read_revenue
from services.reporting.adapters.reads.suspense import SuspenseFilter
from services.reporting.adapters.reads.suspense import suspense as read_suspense
from services.reporting.adapters.reads.suspense import suspense_summary as read_suspense_summary
from services.reporting.domain.refusals import UnknownCustomer
from services.reporting.entrypoints.answers import (
    Alerts,
    Dashboard,
    HeldPage,
    HeldSummary,
    Revenue,
    TierMatrix,
)
from services.reporting.entrypoints.customer_answers import Customer360
from services.reporting.entrypoints.http import REFUSALS, SchemeFilter, UnitFilter
from services.reporting.entrypoints.state import Views
from shared.auth.http import Caller, require
from shared.contracts.counter_v1 import Line
from shared.contracts.tiering_v1 import HeldReason
from shared.paging import PAGE_DEFAULT, BadCursor, Cursor, Limit
from shared.problems import Problem, declared

_NO_NUL = r"^[^\x00]*$"


router = APIRouter(prefix="/v1", tags=["views"], responses=declared(*REFUSALS))


@router.get("/dashboard")
async def dashboard(views: Views, caller: Caller) -> Dashboard:
    """The figures of the first page; a part that the caller's roles do not show is null."""
    require(caller, "customers.read")
    return Dashboard.model_validate(await read_dashboard(views, caller))


@router.get("/customer360/{code:path}", responses=declared(*REFUSALS, UnknownCustomer))
async def customer360(views: Views, caller: Caller, code: Annotated[str, Path(max_length=32)]) -> Customer360:
    """Everything about a customer; one that was merged is answered under its survivor, `asked` says which was meant."""
    require(caller, "customers.read")
    found = None if "\x00" in code else await read_customer360(views, caller, code)
    if found is None:
        raise Problem(UnknownCustomer())
    return Customer360.model_validate(found)


@router.get("/revenue")
async def revenue(
    views: Views,
    caller: Caller,
    year: Annotated[int, Query(ge=1, le=9999)],
    group: RevenueGroup = "month",
    unit: UnitFilter = None,
    line: Line | None = None,
) -> Revenue:
    """Booked revenue of a year beside the year before; null where there is no data."""
    require(caller, "customers.read")
    return Revenue.model_validate(await read_revenue(views, caller, unit, year, group, line))


@router.get("/tier-matrix")
async def tier_matrix(
    views: Views,
    caller: Caller,
    scheme: Annotated[str, Query(max_length=255, pattern=_NO_NUL)],
    from_: Annotated[date, Query(alias="from")],
    to: date,
    unit: UnitFilter = None,
) -> TierMatrix:
    """Where customers stood before `from` and at the end of `to`, with the customers behind each cell."""
    require(caller, "tiers.read")
    return TierMatrix.model_validate(await read_tier_matrix(views, caller, scheme, from_, to, unit))


@router.get("/suspense-view", responses=declared(*REFUSALS, BadCursor))
async def suspense(
    views: Views,
    caller: Caller,
    state: Annotated[str | None, Query(pattern="^(held|released|closed|all)$")] = "held",
    reason: HeldReason | None = None,
    code: Annotated[str | None, Query(max_length=32, pattern=_NO_NUL)] = None,
    counter: Annotated[str | None, Query(max_length=255, pattern=_NO_NUL)] = None,
    unit: UnitFilter = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> HeldPage:
    """Held transactions within the caller's units, those held for the longest first."""
    require(caller, "suspense.read")
    asked = SuspenseFilter(None if state == "all" else state, reason, code, counter, unit)
    page = await read_suspense(views, caller, asked, cursor, limit)
    return HeldPage.model_validate({"items": page.items, "next_cursor": page.next_cursor})


@router.get("/suspense-summary")
async def suspense_summary(views: Views, caller: Caller) -> HeldSummary:
    """What is held, by reason and by age, and how much it holds up."""
    require(caller, "suspense.read")
    return HeldSummary.model_validate(await read_suspense_summary(views, caller))


@router.get("/alerts", responses=declared(*REFUSALS, BadCursor))
async def alerts(
    views: Views,
    caller: Caller,
    alert: SchemeFilter = None,
    unit: UnitFilter = None,
    open: bool | None = True,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Alerts:
    """What somebody should look at, the latest first; `open=false` for what has been seen to."""
    require(caller, "declarations.read")
    page = await read_alerts(views, caller, AlertFilter(alert, unit, open), cursor, limit)
    return Alerts.model_validate({"items": page.items, "next_cursor": page.next_cursor})
