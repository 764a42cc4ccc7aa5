"""A customer as the registry knows it, and what is told about each change.

Every transaction on a customer makes exactly one new version of its state, whatever it changed:
subscribers see a registration with its code, agreement and managers as one step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.registry.domain.agreements import Agreement, one_in_force
from services.registry.domain.counter_codes import CodeMapping

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
class UnknownCustomer:
    """Refusal: there is no such customer, or none that the caller may know of."""

    code: str


@dataclass(frozen=True, slots=True)
class MergedInto:
    """Refusal: the customer is an alias; what is done is done to its survivor."""

    code: str
    survivor: str


@dataclass(frozen=True, slots=True)
class NotActive:
    """Refusal: the customer was retired or annulled."""

    code: str
    status: str


@dataclass(frozen=True, slots=True)
class ChangedMeanwhile:
    """Refusal: others have changed it since the caller read it."""

    version: int


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
