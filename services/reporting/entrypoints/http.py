"""The routes: customers with their tiers, tier movements, and how fresh the views are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field

from services.reporting.adapters.reads.customers import CustomerFilter, CustomerOrder
from services.reporting.adapters.reads.customers import customer as read_customer
from services.reporting.adapters.reads.customers import customers as read_customers
from services.reporting.adapters.reads.freshness import freshness as read_freshness
from services.reporting.adapters.reads.movements import MovementFilter
from services.reporting.adapters.reads.movements import movements as read_movements
from services.reporting.adapters.reads.rows import Row
from services.reporting.domain.refusals import UnknownCustomer
from services.reporting.entrypoints.state import Views
from shared.auth.http import BadToken, Caller, Unauthenticated, require
from shared.auth.policy import Forbidden
from shared.contracts.fields import Day, Figure, Instant, Part
from shared.contracts.tiering_v1 import Direction
from shared.paging import PAGE_DEFAULT, BadCursor, Cursor, Limit
from shared.problems import InvalidFields, Problem, Unavailable, declared

REFUSALS: Final = (InvalidFields, Unauthenticated, BadToken, Forbidden, Unavailable)
"""What every route of reporting can refuse by."""
_NO_NUL: Final = r"^[^\x00]*$"
"""PostgreSQL takes no NUL in text."""

UnitFilter = Annotated[
    str | None, Query(max_length=32, pattern=_NO_NUL, description="This unit and everything below it.")
]
SchemeFilter = Annotated[str | None, Query(max_length=255, pattern=_NO_NUL, description="A scheme's code.")]
TierFilter = Annotated[
    str | None, Query(max_length=255, pattern=_NO_NUL, description="A tier code, or `none`.")
]
CustomerCode = Annotated[str | None, Query(max_length=32, pattern=_NO_NUL)]
NamePart = Annotated[
    str | None,
    Query(max_length=255, pattern=_NO_NUL, description="A part of the name, or the beginning of the code."),
]


class Agreement(Part):
    """An agreement in force."""

    agreement_no: str
    signed_on: str
    ends_on: str | None
    lines: list[str] = Field(description="The lines it covers; empty means all.")


class Tier(Part):
    """A customer's tier under one scheme."""

    scheme: str
    scheme_version: int
    version: int
    tier: str
    effective_on: Day | None
    period: str
    total_fen: Figure = Field(alias="total", description="Yuan.")
    key_account: bool
    as_of: Instant


class Movement(Part):
    """One tier change."""

    customer_code: str
    scheme: str
    scheme_version: int
    version: int
    from_tier: str
    to_tier: str
    direction: str
    reason: str
    effective_on: Day
    period: str
    total_fen: Figure = Field(alias="total", description="Yuan.")
    key_account: bool
    decided_at: Instant
    caused_by_source: str | None
    caused_by_id: str | None
    unit_path: str


class Customer(Part):
    """A customer with its agreements in force and its tiers."""

    customer_code: str
    version: int
    name: str
    uscc: str | None
    kind: str
    status: str
    merged_into: str | None
    unit_code: str
    unit_path: str
    unit_name_zh: str | None = Field(description="Null until the unit itself has been told of.")
    unit_name_en: str | None
    division: str | None
    industry: str | None
    manager_a: str | None
    manager_b: str | None
    registered_at: Instant
    agreements: list[Agreement]
    as_of: Instant
    revenue_year: int | None = Field(
        default=None, description="The year of `revenue`; null for a single customer."
    )
    revenue_fen: Figure | None = Field(
        default=None, alias="revenue", description="Yuan booked in that year so far, with or without a tier."
    )
    tiers: list[Tier]


class CustomerHistory(Customer):
    """A customer with every change of its tiers, by scheme and version."""

    movements: list[Movement]


class Customers(Part):
    """A page of customers."""

    items: list[Customer]
    next_cursor: str | None


class Movements(Part):
    """A page of tier changes."""

    items: list[Movement]
    next_cursor: str | None


class Reached(Part):
    """What a view reflects of one partition: everything up to and including `offset`."""

    topic: str
    partition: int
    offset: int
    event_time: Instant | None


class ViewFreshness(Part):
    """How far one view has come; `event_time` is the latest over its partitions."""

    view: str
    event_time: Instant | None
    partitions: list[Reached]


class Freshness(Part):
    """How far every view has come."""

    as_of: Instant
    views: list[ViewFreshness]


def freshness_of(rows: list[Row], as_of: datetime) -> Freshness:
    """Rows of partitions, sorted by view, as the answer."""
    views: dict[str, list[Reached]] = {}
    for row in rows:
        views.setdefault(row["view"], []).append(Reached.model_validate(row))
    return Freshness(
        as_of=as_of,
        views=[
            ViewFreshness(
                view=view,
                event_time=max((at.event_time for at in reached if at.event_time), default=None),
                partitions=reached,
            )
            for view, reached in views.items()
        ],
    )


router = APIRouter(prefix="/v1", tags=["views"], responses=declared(*REFUSALS))


@router.get("/customers", responses=declared(*REFUSALS, BadCursor))
async def customers(
    views: Views,
    caller: Caller,
    unit: UnitFilter = None,
    tier: TierFilter = None,
    scheme: SchemeFilter = None,
    key_account: bool | None = None,
    q: NamePart = None,
    order: CustomerOrder = "code",
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Customers:
    """Customers in the caller's scope by code, each with its tiers. `tier` and `key_account` mean the tier under
    `scheme`, or under any scheme where none is given."""
    require(caller, "customers.read")
    asked = CustomerFilter(unit, tier, scheme, key_account, q, order=order)
    page = await read_customers(views, caller, asked, cursor, limit)
    return Customers(items=[Customer.model_validate(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/customers/{code}", responses=declared(*REFUSALS, UnknownCustomer))
async def customer(views: Views, caller: Caller, code: str) -> CustomerHistory:
    """One customer with its tiers and the history of their changes."""
    require(caller, "customers.read")
    row = None if "\x00" in code else await read_customer(views, caller, code)
    if row is None:
        # The same answer whether it does not exist or lies outside the caller's scope.
        raise Problem(UnknownCustomer())
    return CustomerHistory.model_validate(row)


@router.get("/tier-movements", responses=declared(*REFUSALS, BadCursor))
async def tier_movements(
    views: Views,
    caller: Caller,
    unit: UnitFilter = None,
    customer: CustomerCode = None,
    scheme: SchemeFilter = None,
    direction: Direction | None = None,
    effective_from: date | None = None,
    effective_to: date | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Movements:
    """Tier changes in the caller's scope, the latest decided first."""
    require(caller, "tiers.read")
    asked = MovementFilter(unit, customer, scheme, direction, effective_from, effective_to)
    page = await read_movements(views, caller, asked, cursor, limit)
    return Movements(items=[Movement.model_validate(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/freshness")
async def freshness(views: Views, caller: Caller) -> Freshness:
    """The offsets and event times that each view reflects (REP-2)."""
    require(caller, "customers.read")
    return freshness_of(await read_freshness(views, caller), views.now())
