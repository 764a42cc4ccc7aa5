"""What the handlers need from outside: what claims knows, plans and windows, timers and publishing; one store per unit
of work. Implemented in adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from services.claims.domain.agreements import CaseKind
from services.claims.domain.plans import Fact, Plan
from shared.contracts.envelope import Message
from shared.contracts.registry_v1 import CustomerState, UnitState
from shared.messaging.states import StateRecord
from shared.messaging.work import Work


class KnownStore(Protocol):
    """Units and customers inside one transaction. What is given holds no key twice; older states than those stored
    change nothing."""

    async def keep_units(self, told: Sequence[StateRecord[UnitState]]) -> None:
        """Units by code."""

    async def keep_customers(self, told: Sequence[StateRecord[CustomerState]]) -> None:
        """Customers by code."""


OpenKnown = Callable[[Work], KnownStore]


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """A unit as the registry told it."""

    unit_code: str
    unit_path: str
    name_zh: str
    name_en: str
    level: str
    division: str | None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """A customer as the registry told it. `agreements` as in the contract."""

    customer_code: str
    name: str
    uscc: str | None
    status: str
    merged_into: str | None
    unit_code: str
    unit_path: str
    division: str | None
    agreements: tuple[Mapping[str, Any], ...] = ()
    managers: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom plans are about: a customer, or a prospect known by credit code and name."""

    id: int
    customer_code: str | None
    uscc: str | None
    name: str

    @property
    def key(self) -> str:
        """The key of its window's record."""
        return self.customer_code or f"uscc:{self.uscc}"

    def as_named(self, plan: Plan) -> Subject:
        """What the plan's readers are told of it: everything, or nothing but what the plan was filed with."""
        if plan.identified:
            return self
        return Subject(self.id, plan.named_code, plan.named_uscc, plan.named_name or plan.named_code or "")


@dataclass(slots=True)
class Docket:
    """A subject under lock with all its plans, in the order of filing."""

    subject: Subject
    plans: dict[str, Plan] = field(default_factory=dict)

    def holder(self) -> Plan | None:
        """The plan that holds the subject, if any."""
        return next((plan for plan in self.plans.values() if plan.holds), None)


@dataclass(frozen=True, slots=True)
class Case:
    """A matter for the centre: what slipped through, with its evidence."""

    id: str
    kind: CaseKind
    subject_id: int
    plan_id: str
    unit_path: str
    other_unit: str | None
    agreement_no: str | None
    evidence: Mapping[str, Any]
    opened_at: datetime
    version: int = 1
    state: str = "open"
    decision: str | None = None
    reason: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class PlanStore(Protocol):
    """Subjects, plans, windows and cases inside one transaction. Whoever opens a docket holds its lock to the end."""

    async def unit(self, unit_code: str) -> KnownUnit | None:
        """A unit by code."""

    async def units_above(self, unit_path: str) -> list[KnownUnit]:
        """The unit of this path and those above it, the nearest first."""

    async def customer(self, customer_code: str) -> KnownCustomer | None:
        """A customer by code."""

    async def customer_of_uscc(self, uscc: str) -> KnownCustomer | None:
        """The active customer with this credit code."""

    async def subject_of_customer(self, customer: KnownCustomer) -> int:
        """The subject of a customer, made where there was none."""

    async def subject_of_prospect(self, uscc: str, name: str) -> int:
        """The subject of a prospect, made where there was none."""

    async def subject_of_code(self, customer_code: str) -> int | None:
        """The subject that bears this code."""

    async def subject_of_uscc(self, uscc: str) -> int | None:
        """The subject that bears this credit code."""

    async def subject_of_plan(self, plan_id: str) -> int | None:
        """Whom a plan is about; None for a plan that does not exist."""

    async def docket(self, subject_id: int) -> Docket | None:
        """Lock the subject and read its plans; None where it is gone (merged meanwhile)."""

    async def subjects_concerned(self, customer_codes: Sequence[str]) -> list[tuple[str, int]]:
        """Which of these customers are, or by credit code or merging now become, a subject that is there: pairs of code
        and subject in the order of subjects."""

    async def rename(self, subject: Subject) -> None:
        """Store the subject's code, credit code and name."""

    async def dissolve(self, subject_id: int, into: int) -> None:
        """Take the subject away; what is left of it (outcomes of agreements, cases) goes to the other one."""

    async def insert(self, plan: Plan) -> None:
        """A new plan."""

    async def update(self, plan: Plan) -> None:
        """The plan's new state. Raises where its version is not the next one."""

    async def take_window(self, plan: Plan, subject: Subject) -> bool:
        """Reserve the subject for the plan's window; False where the database has another window in that time."""

    async def store_window(self, plan: Plan, subject: Subject) -> None:
        """The window as the plan now has it."""

    async def record(self, plan: Plan, facts: Sequence[Fact]) -> None:
        """What happened, in the plan's own file."""

    async def steps(self, plan_id: str) -> Sequence[Mapping[str, Any]]:
        """What happened to a plan, in order."""

    async def note_outcome(
        self, subject_id: int, agreement_no: str, recorded_at: datetime, result: str
    ) -> bool:
        """Note what an agreement meant; False where that was noted before."""

    async def open_case(self, case: Case) -> None:
        """A new case."""

    async def case(self, case_id: str) -> Case | None:
        """A case under lock."""

    async def store_case(self, case: Case) -> None:
        """A decided case."""


class PlanTimers(Protocol):
    """Durable timers of plans."""

    async def schedule(self, kind: str, plan_id: str, due_at: datetime, **payload: Any) -> None:
        """Have it fire once."""


Publish = Callable[[Message, str], None]
"""Publishes a message with its event id when the transaction has committed."""
TellGone = Callable[[str, str], None]
"""Publishes that a customer (by the window's key) has no window any more, with an event id."""
