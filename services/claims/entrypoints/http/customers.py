"""The routes: what claims knows of customers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from services.claims.adapters.read_models import CUSTOMERS
from services.claims.entrypoints.commands import Reader, answers
from shared.auth.http import Caller, require
from shared.contracts.fields import Instant, Part
from shared.paging import PAGE_DEFAULT, BadCursor, Cursor, Limit

router = APIRouter(prefix="/v1", tags=["customers"])

UnitFilter = Annotated[
    str | None, Query(max_length=32, pattern=r"^[^\x00]*$", description="This unit and everything below it.")
]


class Agreement(Part):
    """An agreement in force."""

    agreement_no: str
    signed_on: str
    ends_on: str | None
    lines: list[str] = Field(description="The lines it covers; empty means all.")
    recorded_at: str


class Customer(Part):
    """A customer as claims knows it."""

    customer_code: str
    version: int
    name: str
    kind: str
    status: str
    merged_into: str | None
    unit_code: str = Field(description="The unit responsible.")
    unit_path: str
    agreements: list[Agreement] = Field(description="Those in force.")
    as_of: Instant


class Customers(Part):
    """A page of customers."""

    items: list[Customer]
    next_cursor: str | None


@router.get("/customers", responses=answers(BadCursor))
async def customers(
    caller: Caller,
    reader: Reader,
    unit: UnitFilter = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Customers:
    """Customers in the caller's scope by code, with the unit responsible and the agreements in force."""
    require(caller, "customers.read")
    page = await CUSTOMERS.read(reader, caller, {"unit": unit}, cursor, limit)
    return Customers(items=[Customer.model_validate(row) for row in page.items], next_cursor=page.next_cursor)
