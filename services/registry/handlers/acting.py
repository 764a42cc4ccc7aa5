"""What acts on customers are done at: the ports of one transaction, its instant, who asks, and which version they mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from services.registry.domain.customers import Customer, UnknownCustomer
from services.registry.domain.organisation import Unit
from services.registry.handlers.ports import (
    AgreementTimers,
    CounterCodes,
    Customers,
    Imports,
    Merges,
    Organisations,
    Publish,
    Rules,
)
from shared.auth.policy import NotPermitted, Operation, permit
from shared.auth.principals import Principal
from shared.kernel.days import day_of


@dataclass(frozen=True, slots=True)
class ActDesk:
    """One transaction of an act on customers. `version` is the state that the caller saw, None for any."""

    caller: Principal
    version: int | None
    now: datetime
    rules: Rules
    customers: Customers
    organisations: Organisations
    counter_codes: CounterCodes
    merges: Merges
    imports: Imports
    timers: AgreementTimers
    publish: Publish

    @property
    def person(self) -> str:
        return self.caller.user

    @property
    def today(self) -> date:
        return day_of(self.now)

    def sees(self, customer: Customer, unit: Unit) -> bool:
        """Whether the caller may know of the customer."""
        return permit(self.caller, "customers.read", unit.path, managers_of(customer)) is None

    def refusal(
        self, operation: Operation, customer: Customer, unit: Unit
    ) -> UnknownCustomer | NotPermitted | None:
        """Why the caller may not act for this customer, whose unit that is. Who may not act for one that they may not see
        learns nothing about it."""
        refusal = permit(self.caller, operation, unit.path, managers_of(customer))
        if refusal is None or self.sees(customer, unit):
            return refusal
        return UnknownCustomer(customer.code)


def managers_of(customer: Customer) -> tuple[str | None, str | None]:
    """Whom a customer is bound to."""
    return customer.manager_a, customer.manager_b
