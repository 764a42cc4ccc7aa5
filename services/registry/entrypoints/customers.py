"""Customers over HTTP: listed, and one with its history."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from services.registry.adapters.read_models import customer_in_scope, customers_in_scope
from services.registry.domain.customers import UnknownCustomer
from services.registry.entrypoints.acting import Reader, storable, when_loaded
from services.registry.entrypoints.answers import CustomerFileOut, CustomerOut
from shared.auth.http import Caller, require
from shared.etags import etag, not_modified
from shared.paging import BadCursor, Cursor, Limit
from shared.problems import Problem, declared

Filter = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class CustomersOut(BaseModel):
    items: list[CustomerOut]
    next_cursor: str | None = Field(description="The cursor of what follows; null at the end.")


router = APIRouter(prefix="/v1/customers", tags=["customers"], dependencies=[Depends(when_loaded)])


@router.get("", summary="Customers in your scope", responses=declared(BadCursor))
async def customers(
    caller: Caller,
    reader: Reader,
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
    asked = {
        "unit": unit,
        "name": name,
        "uscc": uscc,
        "manager": manager,
        "status": status,
        "kind": kind,
        "agreement": agreement,
    }
    page = await customers_in_scope(reader, caller, asked, cursor, limit)
    items = [CustomerOut.model_validate(each) for each in page.items]
    return CustomersOut(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{code:path}",
    summary="One customer",
    response_model=CustomerFileOut,
    responses={
        304: {"description": "The version that `If-None-Match` names is the current one."},
        **declared(UnknownCustomer),
    },
)
async def customer(
    code: str, caller: Caller, reader: Reader, request: Request, response: Response
) -> CustomerFileOut | Response:
    """Answers 404 for a customer outside your scope as for one that does not exist. A customer that was merged is
    answered with its `survivor` named."""
    require(caller, "customers.read")
    found = await customer_in_scope(reader, caller, storable(code))
    if found is None:
        raise Problem(UnknownCustomer(code))
    # An alias answers with its survivor, which changes with later merges and not with the alias's own version.
    same = None if found["survivor"] else not_modified(request, found["version"])
    if same is not None:
        return same
    response.headers["etag"] = etag(found["version"])
    return CustomerFileOut.model_validate(found)
