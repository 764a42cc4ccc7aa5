"""What an agreement means for the windows of its customer (CLM-5, CLM-8, CLM-9).

It concerns the window within whose days it was signed, if it was recorded after that window opened. Signed by the
holder (its unit or one below it) while the window is in force or settling, it makes it a success. Coming later it
reopens nothing, and another unit's agreement is a breach: both are cases for the centre.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from services.claims.domain.plans import Plan
from shared.kernel.days import day_of

CaseKind = Literal["late_agreement", "foreign_agreement", "merged_windows"]


@dataclass(frozen=True, slots=True)
class Signature:
    """An agreement as the registry told it. `signing_path` is that of the unit that signed it."""

    agreement_no: str
    signed_on: date
    recorded_at: datetime
    signing_unit: str
    signing_path: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What it means, and for which plan."""

    plan: Plan
    result: Literal["success", "late_agreement", "foreign_agreement"]


def meaning(agreement: Signature, plans: Iterable[Plan]) -> Meaning | None:
    """What the agreement means for one of these plans of its customer; None where it concerns no window."""
    concerned = [plan for plan in plans if _concerns(agreement, plan)]
    if not concerned:
        return None
    # A window in force before one that is over, then the one that opened last.
    plan = max(concerned, key=lambda each: (each.holds, each.opens_at))
    by_holder = f"{agreement.signing_path}/".startswith(f"{plan.unit_path}/")
    if not by_holder:
        return Meaning(plan, "foreign_agreement")
    if plan.state in ("active", "settling"):
        return Meaning(plan, "success")
    return Meaning(plan, "late_agreement") if plan.state == "expired" else None


def _concerns(agreement: Signature, plan: Plan) -> bool:
    if plan.opens_at is None or plan.last_day is None or plan.state in ("registered", "refused"):
        return False
    if not day_of(plan.opens_at) <= agreement.signed_on <= plan.last_day:
        return False
    if agreement.recorded_at < plan.opens_at:
        return False
    # After a success or a withdrawal the customer was free again: only what came before belongs to the window.
    freed = plan.closed_at if plan.state in ("succeeded", "withdrawn") else None
    return freed is None or agreement.recorded_at < freed
