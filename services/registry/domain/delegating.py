"""Who may decide in another's place, and how long (REG-3).

A deputy is of the unit that is decided for: their post is there, and they hold a deciding role or belong to the office of
who delegates. The days begin today or later and are few (`delegation_days_max`). Nobody decides by delegation about a
customer whose manager they are or shall be.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from services.registry.domain.declaration_refusals import OwnCustomer
from services.registry.domain.declarations import Declaration
from services.registry.domain.organisation import StaffMember, Unit
from shared.kernel.days import within_range
from shared.kernel.refusals import Fault


@dataclass(frozen=True, slots=True)
class Term:
    """The days of a delegation, both included, and the day on which it is given."""

    from_on: date
    to_on: date
    today: date
    days_max: int

    def faults(self) -> list[Fault]:
        """What is wrong with the days."""
        outside = [
            Fault(f"/{name}", "day_out_of_range")
            for name, day in (("from_on", self.from_on), ("to_on", self.to_on))
            if not within_range(day)
        ]
        if outside:
            return outside
        found = [] if self.from_on >= self.today else [Fault("/from_on", "in_the_past")]
        if self.to_on < self.from_on:
            found.append(Fault("/to_on", "ends_before_begin"))
        elif self.to_on - self.from_on >= timedelta(days=self.days_max):
            found.append(Fault("/to_on", "too_long", word="delegation_too_long"))
        return found


def deputy_faults(
    delegator: str,
    deputy: StaffMember | None,
    unit: Unit | None,
    office: tuple[str, str] | None,
    roles: Collection[str],
) -> list[Fault]:
    """What stands against this deputy. `office` is the unit and the office of who delegates, `roles` are those that
    decide."""
    if unit is None:
        return [Fault("/unit_code", "unknown_unit")]
    if deputy is None:
        return [Fault("/to_user", "unknown_user")]
    if deputy.user == delegator:
        return [Fault("/to_user", "same_user")]
    decides = any(role in roles for role, _ in deputy.roles)
    if deputy.unit != unit.code or not (decides or (unit.code, deputy.office) == office):
        return [Fault("/to_user", "not_of_the_unit")]
    return []


def own_customer(
    declaration: Declaration, deputy: str, managers: Collection[str | None]
) -> OwnCustomer | None:
    """The refusal of a deputy who is one of the managers: proposed, or `managers` to be bound instead."""
    content = declaration.content
    if deputy in (content.manager_a, content.manager_b, *managers):
        return OwnCustomer()
    return None
