"""The views as JSON for programs: the figures of the console's pages. Money is yuan, as everywhere outside."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

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
from services.reporting.entrypoints.http import REFUSALS, SchemeFilter, UnitFilter
from services.reporting.entrypoints.state import Views
from shared.auth.http import Caller, require
from shared.contracts.counter_v1 import Line
from shared.contracts.fields import printed_instant
from shared.contracts.tiering_v1 import HeldReason
from shared.money import format_yuan
from shared.paging import PAGE_DEFAULT, BadCursor, Cursor, Limit
from shared.problems import Problem, declared

Json = dict[str, Any]
_NO_NUL = r"^[^\x00]*$"


router = APIRouter(prefix="/v1", tags=["views"], responses=declared(*REFUSALS))


@router.get("/dashboard")
async def dashboard(views: Views, caller: Caller) -> Json:
    """The figures of the first page; a part that the caller's roles do not show is null."""
    require(caller, "customers.read")
    shown: Json = outside(await read_dashboard(views, caller))
    return shown


@router.get("/customer360/{code:path}", responses=declared(*REFUSALS, UnknownCustomer))
async def customer360(views: Views, caller: Caller, code: Annotated[str, Path(max_length=32)]) -> Json:
    """Everything about a customer; one that was merged is answered under its survivor, `asked` says which was meant."""
    require(caller, "customers.read")
    found = None if "\x00" in code else await read_customer360(views, caller, code)
    if found is None:
        raise Problem(UnknownCustomer())
    shown: Json = outside(found)
    return shown


@router.get("/revenue")
async def revenue(
    views: Views,
    caller: Caller,
    year: Annotated[int, Query(ge=1, le=9999)],
    group: RevenueGroup = "month",
    unit: UnitFilter = None,
    line: Line | None = None,
) -> Json:
    """Booked revenue of a year beside the year before; null where there is no data."""
    require(caller, "customers.read")
    shown: Json = outside(await read_revenue(views, caller, unit, year, group, line))
    return shown


@router.get("/tier-matrix")
async def tier_matrix(
    views: Views,
    caller: Caller,
    scheme: Annotated[str, Query(max_length=255, pattern=_NO_NUL)],
    from_: Annotated[date, Query(alias="from")],
    to: date,
    unit: UnitFilter = None,
) -> Json:
    """Where customers stood before `from` and at the end of `to`, with the customers behind each cell."""
    require(caller, "tiers.read")
    shown: Json = outside(await read_tier_matrix(views, caller, scheme, from_, to, unit))
    return shown


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
) -> Json:
    """Held transactions within the caller's units, those held for the longest first."""
    require(caller, "suspense.read")
    asked = SuspenseFilter(None if state == "all" else state, reason, code, counter, unit)
    page = await read_suspense(views, caller, asked, cursor, limit)
    return {"items": outside(page.items), "next_cursor": page.next_cursor}


@router.get("/suspense-summary")
async def suspense_summary(views: Views, caller: Caller) -> Json:
    """What is held, by reason and by age, and how much it holds up."""
    require(caller, "suspense.read")
    shown: Json = outside(await read_suspense_summary(views, caller))
    return shown


@router.get("/alerts", responses=declared(*REFUSALS, BadCursor))
async def alerts(
    views: Views,
    caller: Caller,
    alert: SchemeFilter = None,
    unit: UnitFilter = None,
    open: bool | None = True,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Json:
    """What somebody should look at, the latest first; `open=false` for what has been seen to."""
    require(caller, "declarations.read")
    page = await read_alerts(views, caller, AlertFilter(alert, unit, open), cursor, limit)
    return {"items": outside(page.items), "next_cursor": page.next_cursor}


def outside(value: Any) -> Any:
    """A read model's answer in the words of the contracts: `amount_fen` becomes `amount` in yuan, instants have the offset
    of Asia/Shanghai."""
    if isinstance(value, dict):
        return dict(_member(name, member) for name, member in value.items())
    if isinstance(value, list):
        return [outside(one) for one in value]
    if isinstance(value, datetime):
        return printed_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _member(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_fen"):
        return name.removesuffix("_fen"), None if value is None else format_yuan(value)
    return name, outside(value)
