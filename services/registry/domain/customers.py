"""A customer as the registry knows it, and what is told about each change.

Every transaction on a customer makes exactly one new version of its state, whatever it changed:
subscribers see a registration with its code, agreement and managers as one step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from services.registry.domain.agreements import Agreement, one_in_force
from services.registry.domain.counter_codes import CodeMapping
from shared.kernel import refusals
from shared.kernel.refusals import Refusal

Kind = Literal["potential", "active"]
Status = Literal["active", "retired", "merged", "annulled"]


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer. `version` counts 1, 2, 3 … ; managers are user names; `uscc` is unique where given."""

    code: str
    version: int
    name: str
    uscc: str | None
    kind: Kind
    unit_code: str
    registered_at: datetime
    status: Status = "active"
    merged_into: str | None = None
    division: str | None = None
    industry: str | None = None
    upstream_granted_by_province: bool = False
    manager_a: str | None = None
    manager_b: str | None = None
    agreements: tuple[Agreement, ...] = ()
    counter_codes: tuple[CodeMapping, ...] = ()
    """Of the codes that it has or had; ones taken back are not among them."""
    aliases: tuple[str, ...] = ()
    """Customers merged into this one, those merged into them included."""

    @property
    def lead(self) -> Literal["A", "B"]:
        """Who leads: A until an agreement is signed, then B while one is in force (REG-19, S1 art.11)."""
        return "B" if one_in_force(self.agreements) else "A"

    def agreement(self, agreement_no: str) -> Agreement | None:
        return next((each for each in self.agreements if each.agreement_no == agreement_no), None)

    def with_agreement(self, changed: Agreement) -> tuple[Agreement, ...]:
        """All agreements with one replaced, or added at the end."""
        if self.agreement(changed.agreement_no) is None:
            return (*self.agreements, changed)
        return tuple(
            changed if each.agreement_no == changed.agreement_no else each for each in self.agreements
        )


@dataclass(frozen=True, slots=True)
class UnknownCustomer(Refusal):
    """There is no such customer, or none that the caller may know of."""

    customer_code: str
    code: ClassVar[str] = "unknown_customer"
    kind: ClassVar[refusals.Kind] = "unknown"

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class MergedInto(Refusal):
    """The customer is an alias; what is done is done to its survivor."""

    customer_code: str
    merged_into: str
    code: ClassVar[str] = "merged_into"
    kind: ClassVar[refusals.Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {"merged_into": self.merged_into}


@dataclass(frozen=True, slots=True)
class CustomerRetired(Refusal):
    """The customer was retired."""

    customer_code: str
    code: ClassVar[str] = "customer_retired"
    kind: ClassVar[refusals.Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class CustomerAnnulled(Refusal):
    """The customer was annulled."""

    customer_code: str
    code: ClassVar[str] = "customer_annulled"
    kind: ClassVar[refusals.Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a customer, in the past tense, with what a reader needs to understand it."""

    what: str
    details: dict[str, object] = field(default_factory=dict)
    by: str | None = None
    """Who did it, where that is not who did the whole transaction."""
    at: datetime | None = None


def agreement_facts(before: Customer | None, after: Customer) -> tuple[Fact, ...]:
    """What happened to a customer's agreements, all of them new where there was no customer before."""
    facts: list[Fact] = []
    known = {each.agreement_no: each for each in (() if before is None else before.agreements)}
    for agreement in after.agreements:
        old = known.get(agreement.agreement_no)
        numbered: dict[str, object] = {"agreement_no": agreement.agreement_no}
        if old is None:
            term = {
                "signed_on": agreement.signed_on,
                "ends_on": agreement.ends_on,
                "lines": list(agreement.lines),
                "signing_unit": agreement.unit_code,
            }
            facts.append(Fact("agreement_signed", numbered | term))
        elif old.ends_on != agreement.ends_on:
            facts.append(
                Fact(
                    "agreement_changed",
                    numbered | {"ends_on": agreement.ends_on, "ended_before": old.ends_on},
                )
            )
        if agreement.state == "ended" and (old is None or old.state != "ended"):
            facts.append(Fact("agreement_ended", numbered | {"ended_on": agreement.ended_on}))
    return tuple(facts)
