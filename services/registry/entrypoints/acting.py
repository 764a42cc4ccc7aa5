"""What the routes of all acts share: the permission, the answer that is given once, and its status and tag."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Response
from pydantic import StringConstraints

from services.registry.domain.customers import Customer
from services.registry.domain.organisation import Unit
from services.registry.entrypoints.refusals import unknown_customer
from services.registry.handlers.ports import Permit
from shared.auth.http import require
from shared.auth.policy import Operation, permit
from shared.auth.principals import Principal
from shared.etags import etag
from shared.idempotency import Asked, answered_once
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

Line = Annotated[
    str,
    StringConstraints(pattern="^(letters|logistics|express|parcels|press|finance|information|philately)$"),
]
Sentence = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00]*$")
]
"""A reason or a comment."""
CodeText = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
"""A code as it is sent; whether it means anything is looked up."""


def permitted(caller: Principal, operation: Operation) -> Permit:
    """Raises 403 for who may not act for a customer's unit, and 404 for who may not even know of the customer."""

    def check(customer: Customer, unit: Unit) -> None:
        bound_to = (customer.manager_a, customer.manager_b)
        if permit(caller, operation, unit.path, bound_to) is None:
            return
        if permit(caller, "customers.read", unit.path, bound_to) is not None:
            raise unknown_customer()
        require(caller, operation, unit.path, bound_to)

    return check


async def answer(
    unit_of_work: UnitOfWork,
    asked: Asked,
    response: Response,
    command: Callable[[Work], Awaitable[tuple[dict[str, Any], bool]]],
) -> Any:
    """Runs a command that answers (the resource, whether it is new): 201 for a new one, else 200, with its ETag.

    The same request again gives the same answer, its status included.
    """

    async def run(work: Work) -> Any:
        body, created = await command(work)
        return {"created": created, "body": body}

    given = await answered_once(unit_of_work, asked, run)
    response.status_code = 201 if given["created"] else 200
    response.headers["etag"] = etag(given["body"]["version"])
    return given["body"]
