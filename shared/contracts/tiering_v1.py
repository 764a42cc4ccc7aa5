"""What tiering tells, version 1: tier changes and tiers, what is held in suspense, and receipts to counters.

`TierChanged` is a promise to systems outside: every change once, in order per customer, explained
(10-contracts).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from shared.contracts import topics
from shared.contracts.counter_v1 import Kind, Line
from shared.contracts.envelope import Message, Outgoing, structured
from shared.contracts.fields import Code, Count, Day, Figure, Instant, Part, Text

SOURCE: Final = "/tiering"
NO_TIER: Final = "none"

Direction = Literal["promotion", "demotion", "correction"]
ChangeReason = Literal[
    "threshold_reached",
    "late_revenue",
    "year_end",
    "quarter_end",
    "agreement_signed",
    "agreement_ended",
    "scheme_changed",
    "merged",
    "granted",
    "corrected",
]
HeldReason = Literal[
    "unknown_code",
    "bad_check_digit",
    "retired_code",
    "conflict",
    "over_reversal",
    "reversal_mismatch",
    "sale_unknown",
    "future_date",
    "year_too_old",
]
RejectedReason = Literal[
    "not_json",
    "not_cloudevent",
    "wrong_type",
    "missing_field",
    "bad_field",
    "oversized",
    "bad_encoding",
    "internal_error",
]


class CausedBy(Part):
    """The event that caused a change."""

    source: Text
    id: Text


class TierChanged(Message):
    """A customer's tier under one scheme changed."""

    TYPE: ClassVar[str] = "keypost.tiering.tier-changed.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.TIER_CHANGES

    customer_code: Code
    scheme: Text
    scheme_version: Count
    version: Count = Field(description="Counts 1, 2, 3 … per customer and scheme, without gaps.")
    from_tier: Text = Field(description="A tier code of the scheme, or none.")
    to_tier: Text = Field(description="A tier code of the scheme, or none.")
    direction: Direction
    reason: ChangeReason
    effective_on: Day
    period: Text = Field(description="The year or quarter of the total: 2026, 2026Q2.")
    total_fen: Figure = Field(alias="total", description="Yuan; counts the scheme's lines only.")
    key_account: bool
    decided_at: Instant
    caused_by: CausedBy | None = Field(description="Null when no single event caused it.")

    @property
    def key(self) -> str:
        return self.customer_code

    @property
    def event_id(self) -> str:
        """The id of the event: `code|scheme|version`."""
        return f"{self.customer_code}|{self.scheme}|{self.version}"

    def record(self, traceparent: str | None = None) -> Outgoing:
        """The record of this change: the same bytes whenever it is made, so that a topic can be refilled."""
        return self.outgoing(id=self.event_id, time=self.decided_at, traceparent=traceparent)


def structured_change(data: Mapping[str, Any], traceparent: str | None) -> dict[str, Any]:
    """The event of a tier change in structured mode, from its data as it was published."""
    return structured(
        type=TierChanged.TYPE,
        source=SOURCE,
        id=f"{data['customer_code']}|{data['scheme']}|{data['version']}",
        time=data["decided_at"],
        subject=data["customer_code"],
        data=data,
        traceparent=traceparent,
    )


class TierState(Message):
    """The latest tier of a customer under one scheme; follows also what changes no tier, such as
    `key_account`.
    """

    TYPE: ClassVar[str] = "keypost.tiering.tier-state.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.TIERS

    customer_code: Code
    scheme: Text
    scheme_version: Count
    version: Count = Field(description="The version of the last tier change; 0 before the first.")
    tier: Text = Field(description="A tier code of the scheme, or none.")
    effective_on: Day | None = Field(default=None, description="Since when; null before the first change.")
    period: Text = Field(description="The year or quarter of the total: 2026, 2026Q2.")
    total_fen: Figure = Field(alias="total", description="Yuan; counts the scheme's lines only.")
    key_account: bool
    as_of: Instant

    @property
    def key(self) -> str:
        return f"{self.customer_code}|{self.scheme}"


class MonthRevenue(Part):
    """What one month brought in one line: sales less reversals."""

    month: Count = Field(description="1-12, of the business date.")
    line: Line
    amount_fen: Figure = Field(alias="amount", description="Yuan, net of reversals; may be negative.")
    pieces: int = Field(description="Volume, net of reversals; may be negative.")
    transactions: Count


EvidenceKind = Literal["counter_id", "payer_uscc", "payer_name_hash", "product", "destination"]
EVIDENCE_MAX: Final = 100
"""Values of each kind that a state tells."""


class EvidenceTotal(Part):
    """What a customer's bookings of a year add up to that came with one piece of evidence."""

    kind: EvidenceKind = Field(description="The field of the counter's transactions.")
    value: Text
    amount_fen: Figure = Field(alias="amount", description="Yuan, net of reversals; may be negative.")
    transactions: Count
    first_on: Day = Field(description="The first business date of these bookings in the year.")
    last_on: Day


class RevenueState(Message):
    """Booked revenue of a customer in one year, by month and line: the ledger's totals as they now are.

    It follows the bookings at a short distance and skips steps: the latest state of a key says everything.
    """

    TYPE: ClassVar[str] = "keypost.tiering.revenue-state.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.REVENUE

    customer_code: Code
    year: Count
    version: Count = Field(description="Rises with every state of the key, with gaps.")
    months: tuple[MonthRevenue, ...] = Field(
        description="Months and lines with bookings; empty where the revenue went to a survivor."
    )
    merged_into: Code | None = Field(default=None, description="The survivor that the revenue went to.")
    as_of: Instant
    evidence: tuple[EvidenceTotal, ...] = Field(
        default=(),
        description="By what counters said beside: who paid, where, for what, to where. Evidence only. Of each kind "
        f"the {EVIDENCE_MAX} largest amounts; bookings that came without are in none.",
    )

    @property
    def key(self) -> str:
        return f"{self.customer_code}|{self.year}"


class SuspenseEvent(Message):
    """A transaction was held back, booked after all, or closed unbooked by a steward."""

    TYPE: ClassVar[str] = "keypost.tiering.suspense.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.SUSPENSE

    customer_code: Code = Field(description="As sent.")
    source: Text
    id: Text
    state: Literal["held", "released", "closed"]
    reason: HeldReason = Field(description="Why it is or was held.")
    counter_id: Text
    line: Line
    kind: Kind
    amount_fen: Figure = Field(alias="amount", description="Yuan.")
    business_date: Day
    booked_for: Code | None = Field(
        default=None, description="The customer it was booked for, when released."
    )
    decided_by: Text | None = Field(
        default=None, description="The steward; null when it came about by itself."
    )
    at: Instant

    @property
    def key(self) -> str:
        return self.customer_code


class Receipt(Message):
    """Feedback to a counter: one of its transactions was rejected, held or released.

    Rejected transactions get one only as far as they can be read: their counter and their identity have to be
    known.
    """

    TYPE: ClassVar[str] = "keypost.tiering.receipt.v1"
    SOURCE: ClassVar[str | None] = SOURCE
    TOPIC: ClassVar[str] = topics.RECEIPTS

    counter_id: Text
    source: Text
    id: Text
    state: Literal["rejected", "held", "released"]
    reason: RejectedReason | HeldReason = Field(description="Why; for released, why it had been held.")
    detail: str | None = Field(default=None, description="A sentence for people; never a value.")
    at: Instant

    @property
    def key(self) -> str:
        return self.counter_id
