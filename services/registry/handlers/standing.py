"""What every act on a customer begins with: it exists, the caller may act for it, and it is in good standing."""

from __future__ import annotations

from dataclasses import dataclass

from services.registry.domain.customers import (
    ChangedMeanwhile,
    Customer,
    MergedInto,
    NotActive,
    UnknownCustomer,
)
from services.registry.domain.organisation import Unit
from services.registry.handlers.ports import Customers, Organisations, Permit

NotStanding = UnknownCustomer | MergedInto | NotActive | ChangedMeanwhile


@dataclass(frozen=True, slots=True)
class Standing:
    """A customer in good standing, with its unit."""

    customer: Customer
    unit: Unit


@dataclass(frozen=True, slots=True)
class Acted:
    """A customer after an act, with its unit; `created` where the act made something new."""

    customer: Customer
    unit: Unit
    created: bool = False


async def in_good_standing(
    customer: Customer | None, code: str, permit: Permit, customers: Customers, organisations: Organisations
) -> Standing | NotStanding:
    """The customer with its unit, or why nothing can be done to it. Asks for the permission first: who may not act for a
    customer learns nothing about it."""
    if customer is None:
        return UnknownCustomer(code)
    unit = (await organisations.units([customer.unit_code]))[customer.unit_code]
    permit(customer, unit)
    if customer.status == "merged":
        return MergedInto(code, await customers.survivor_of(code))
    if customer.status != "active":
        return NotActive(code, customer.status)
    return Standing(customer, unit)
