"""A customer as the registry knows it, and what is told about each change.

Every transaction on a customer makes exactly one new version of its state, whatever it changed:
subscribers see a registration with its code, agreement and managers as one step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.registry.domain.agreements import Agreement

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
class Fact:
    """Something that happened to a customer, in the past tense, with what a reader needs to understand it."""

    what: str
    details: dict[str, object] = field(default_factory=dict)
