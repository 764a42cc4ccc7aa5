"""What every act on a customer begins with: it exists, the caller may act for it, and it is in good standing."""

from __future__ import annotations

from dataclasses import dataclass

from services.registry.domain.customers import (
    Customer,
    CustomerAnnulled,
    CustomerRetired,
    MergedInto,
    UnknownCustomer,
)
from services.registry.domain.organisation import Unit
from services.registry.handlers.acting import ActDesk
from shared.auth.policy import Forbidden, Operation, OutOfScope

NotStanding = UnknownCustomer | MergedInto | CustomerRetired | CustomerAnnulled | Forbidden | OutOfScope


@dataclass(frozen=True, slots=True)
class Standing:
    """A customer in good standing, with its unit."""

    customer: Customer
    unit: Unit


async def in_good_standing(code: str, operation: Operation, desk: ActDesk) -> Standing | NotStanding:
    """The customer, locked, with its unit, or why nothing can be done to it."""
    customer = await desk.customers.locked(code)
    if customer is None:
        return UnknownCustomer(code)
    unit = (await desk.organisations.units([customer.unit_code]))[customer.unit_code]
    return await obstacle(customer, unit, operation, desk) or Standing(customer, unit)


async def obstacle(customer: Customer, unit: Unit, operation: Operation, desk: ActDesk) -> NotStanding | None:
    """Why nothing can be done to a customer. Asks for the permission first: who may not act for a customer learns nothing
    about it."""
    if refusal := desk.refusal(operation, customer, unit):
        return refusal
    match customer.status:
        case "merged":
            return MergedInto(customer.code, await desk.customers.survivor_of(customer.code))
        case "retired":
            return CustomerRetired(customer.code)
        case "annulled":
            return CustomerAnnulled(customer.code)
        case "active":
            return None
