"""The registry's resources as they stand in answers, and a customer shown from inside its transaction."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.registry.adapters.read_models import customer_members
from services.registry.domain.customers import Customer
from services.registry.domain.organisation import Unit


class AgreementOut(BaseModel):
    """An agreement. `unit_code` is the unit that signed it; null where nobody said, as in an imported book."""

    agreement_no: str
    signed_on: date
    ends_on: date | None
    state: Literal["in_force", "ended"]
    ended_on: date | None
    lines: list[str]
    unit_code: str | None
    recorded_at: datetime


class CustomerCodeOut(BaseModel):
    """A counter code of a customer, with its first and last business day, and the unit or the counter that it is mapped
    for."""

    id: int
    code: str
    unit_code: str | None = None
    counter_id: str | None = None
    valid_from: date | None
    valid_to: date | None
    version: int


class CustomerOut(BaseModel):
    """A customer as it is now. `version` is also its ETag. One that was merged has no agreements and codes of its own:
    they passed to its survivor."""

    customer_code: str
    name: str
    uscc: str | None
    kind: str
    status: str
    merged_into: str | None
    unit_code: str
    unit_path: str
    division: str | None
    industry: str | None
    upstream_granted_by_province: bool
    manager_a: str | None
    manager_b: str | None
    lead: Literal["A", "B"] = Field(
        description="Who leads: A until an agreement is signed, then B while one is in force."
    )
    registered_at: datetime
    changed_at: datetime
    version: int
    aliases: list[str] = Field(description="Customers merged into this one.")
    agreements: list[AgreementOut]
    counter_codes: list[CustomerCodeOut]


class BindingOut(BaseModel):
    part: Literal["A", "B"]
    manager: str
    bound_at: datetime
    unbound_at: datetime | None
    bound_by: str


class CodeOut(BaseModel):
    scheme: str
    origin: Literal["issued", "adopted"]
    division: str | None
    serial: int | None
    assigned_at: datetime
    assigned_by: str


class AgreementStepOut(BaseModel):
    """Who did what to an agreement, and why. `customer_code` is the customer that had it then."""

    customer_code: str
    agreement_no: str
    step: Literal["signed", "end_moved", "ended"]
    ends_on: date | None
    person: str
    recorded_at: datetime
    reason: str | None


class SurvivorOut(BaseModel):
    """The customer that an alias is now. `name` is null where it lies outside your scope."""

    customer_code: str
    name: str | None


class CustomerFileOut(CustomerOut):
    """A customer with the history of its managers and agreements and how it got its code. For an alias, `survivor`
    says who it is now, at the end of all merges."""

    survivor: SurvivorOut | None
    managers: list[BindingOut]
    agreement_steps: list[AgreementStepOut]
    code_assignment: CodeOut | None


def customer_out(customer: Customer, unit: Unit, changed_at: datetime) -> CustomerOut:
    """A customer as it is inside the transaction that changes it."""
    return CustomerOut.model_validate(customer_members(customer, unit.path, changed_at))
