"""The answers of tiering's routes, as typed dictionaries: what is described in OpenAPI is what mypy checks and FastAPI sends.

Figures are yuan as decimal strings, days ISO dates, instants ISO 8601 with their offset.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, NotRequired

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

Yuan = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"})]
IsoDay = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
IsoInstant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
JsonObject = dict[str, Any]


def iso(moment: date | None) -> str | None:
    """A day or an instant as text; None stays None."""
    return None if moment is None else moment.isoformat()


# --- Closes ---------------------------------------------------------------------------------------------------


class CloseAnswer(TypedDict):
    """How far a close is: `settled` of `holders` customers have been through it."""

    period: str
    state: Literal["queued", "running", "done"]
    requested_by: str
    requested_at: IsoInstant
    closed_at: IsoInstant | None
    finished_at: IsoInstant | None
    holders: int
    settled: int
    moves: int


class RehearsedMove(TypedDict):
    """A tier change that a close would bring."""

    customer_code: str
    scheme: str
    from_tier: str
    to_tier: str
    reason: str
    effective_on: IsoDay
    total: Yuan


class Rehearsal(TypedDict):
    """What a close would move; nothing was closed."""

    period: str
    dry_run: Literal[True]
    moves: list[RehearsedMove]


class CloseList(TypedDict):
    items: list[CloseAnswer]


# --- Suspense -------------------------------------------------------------------------------------------------


class SuspenseItem(TypedDict):
    """A transaction that is or was held; `decisions` are those that its reason allows, empty once it is not held."""

    number: int
    state: Literal["held", "booked", "closed"]
    reason: str
    source: str
    id: str
    customer_code: str
    counter_id: str
    data: JsonObject
    arrived_at: IsoInstant
    held_at: IsoInstant
    ended_at: IsoInstant | None
    decided_by: str | None
    decision: str | None
    comment: str | None
    decisions: list[str]


class SuspensePage(TypedDict):
    """`next` is the `after` of the page that follows."""

    items: list[SuspenseItem]
    next: str
    more: bool


class DecisionAnswer(TypedDict):
    number: int
    state: Literal["held", "booked", "closed"]
    reason: str


# --- Tiers ----------------------------------------------------------------------------------------------------


class TierName(TypedDict):
    """A tier of a scheme; `tier_name` is in the caller's language."""

    scheme: str
    scheme_version: int
    tier: str
    tier_name: str


class NextLevelAnswer(TierName):
    threshold: Yuan
    missing: Yuan
    year: int


class AgreementAnswer(TypedDict):
    """The condition of an agreement, where the scheme has one."""

    needed: bool
    in_force: bool
    signed_on: IsoDay | None
    ended_on: IsoDay | None


class BookingAnswer(TypedDict):
    """A booking behind a total; `booked_for` is the customer it was booked for, before any merge."""

    seq: int
    source: str
    id: str
    customer_code: str
    booked_for: str
    line: str
    kind: str
    business_date: IsoDay
    amount: Yuan
    counter_id: str
    late: bool
    booked_at: IsoInstant


class TierEvidence(TypedDict):
    """The changes that led to a tier, and the latest bookings of the deciding year; `bookings` counts all of them. The totals
    are null for somebody who does not see every line that the scheme counts."""

    year: int
    total_now: Yuan | None
    total_at_close: Yuan | None
    booked_since_close: Yuan | None
    thresholds: dict[str, Yuan]
    changes: list[JsonObject]
    bookings: int
    latest_bookings: list[BookingAnswer]


class TierAnswer(TierName):
    """A tier, since when and why. On a past day `change` is the change that brought it, and the rest is not told."""

    version: int
    since: IsoDay | None
    reason: str | None
    change: NotRequired[JsonObject | None]
    key_account: NotRequired[bool]
    agreement: NotRequired[AgreementAnswer]
    totals: NotRequired[dict[str, Yuan]]
    revenue_basis: NotRequired[str]
    next_level: NotRequired[NextLevelAnswer | None]
    explanation: NotRequired[list[str]]
    evidence: NotRequired[TierEvidence]


class CustomerTiers(TypedDict):
    """A customer's tiers; `notice` says where the code asked for is a merged customer's."""

    asked_code: str
    customer_code: str
    notice: str | None
    aliases: list[str]
    unit_code: str
    status: str
    as_of: IsoDay
    tiers: list[TierAnswer]


class TierChangePage(TypedDict):
    """Tier changes as structured CloudEvents; `next` is the `after` of the page that follows."""

    items: list[JsonObject]
    next: str
    more: bool
