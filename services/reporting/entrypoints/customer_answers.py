"""What `/v1/customer360` answers: one customer with everything that hangs on it, under the names of `answers`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from services.reporting.entrypoints.answers import Answer, Held, TierMovement
from shared.contracts.fields import Day, Figure, Instant


class CustomerFile(Answer):
    """A customer as its file has it."""

    customer_code: str
    version: int
    name: str
    uscc: str | None
    kind: str
    status: str
    merged_into: str | None
    survivor: str
    unit_code: str
    unit_path: str
    unit_name_zh: str | None
    unit_name_en: str | None
    division: str | None
    industry: str | None
    manager_a: str | None
    manager_b: str | None
    lead: str
    registered_at: Instant
    aliases: list[str]
    counter_codes: list[dict[str, Any]] = Field(
        description="`code`, `valid_from`, `valid_to`, and whose counters it is of."
    )
    agreements: list[dict[str, Any]] = Field(description="Those in force.")
    agreements_in_force: int
    as_of: Instant


class HeldTier(Answer):
    """A tier that the customer holds under a scheme."""

    customer_code: str
    scheme: str
    scheme_version: int
    version: int
    tier: str
    effective_on: Day | None
    period: str
    total_fen: Figure
    key_account: bool
    as_of: Instant
    unit_path: str | None
    manager_a: str | None
    manager_b: str | None
    state_offset: int


class MonthBooked(Answer):
    """Booked in a month on a line, summed over the customer's codes."""

    year: int
    month: int
    line: str
    amount_fen: Figure
    pieces: int
    transactions: int


class Window(Answer):
    """A window in force or settling."""

    window_key: str
    customer_code: str | None
    uscc: str | None
    name: str | None
    state: str
    plan_id: str | None
    version: int | None
    unit_code: str | None
    unit_path: str | None
    manager_a: str | None
    manager_b: str | None
    kind: str | None
    lines: list[str] | None
    opens_at: Instant | None
    ends_at: Instant | None
    last_day: Day | None
    settled_at: Instant | None
    as_of: Instant | None
    state_offset: int
    unit_name_zh: str | None
    unit_name_en: str | None


class Plan(Answer):
    """A development plan."""

    plan_id: str
    version: int
    state: str
    kind: str
    customer_code: str | None
    uscc: str | None
    name: str
    unit_code: str
    unit_path: str
    reviewing_unit: str
    lines: list[str]
    expected_revenue_fen: Figure | None
    manager_a: str | None
    manager_b: str | None
    queued: bool
    submitted_at: Instant | None
    due_at: Instant | None
    breached_at: Instant | None
    reviewed_at: Instant | None
    reviewed_by: str | None
    opens_at: Instant | None
    ends_at: Instant | None
    settled_at: Instant | None
    rule_version: int | None
    stage: str | None
    progressed_at: Instant | None
    significant: bool
    extended_until: Instant | None
    closed_at: Instant | None
    agreement_no: str | None
    as_of: Instant
    unit_name_zh: str | None
    unit_name_en: str | None


class Declaration(Answer):
    """A declaration with what is left of its running limit."""

    declaration_id: str
    version: int
    state: str
    declared_by: str
    declarer: str
    name: str
    uscc: str | None
    unit_code: str
    unit_path: str
    pre_review_unit: str | None
    deciding_unit: str
    deciding_path: str
    expected_lines: list[str]
    expected_revenue_fen: Figure | None
    manager_a: str | None
    manager_b: str | None
    submitted_at: Instant | None
    arrived_at: Instant | None
    waiting_for: str | None
    warn_at: Instant | None
    due_at: Instant | None
    warned_at: Instant | None
    breached_at: Instant | None
    escalated_to: str | None
    decided_at: Instant | None
    decided_by: str | None
    decision_seconds: int | None
    customer_code: str | None
    as_of: Instant
    unit_name_zh: str | None
    unit_name_en: str | None
    hours_left: float | None


class CustomerEvent(Answer):
    """What happened to a customer."""

    event_id: str
    customer_code: str
    customer_version: int
    event: str
    happened_at: Instant
    done_by: str
    unit_code: str | None
    counter_code: str | None
    agreement_no: str | None
    signed_on: Day | None
    ends_on: Day | None
    ended_on: Day | None
    signing_unit: str | None
    declaration_id: str | None
    merged_into: str | None
    unit_path: str | None
    manager_a: str | None
    manager_b: str | None
    partition: int
    record_offset: int


class ClaimsEvent(Answer):
    """What happened to its plans, windows and cases."""

    event_id: str
    event: str
    plan_id: str | None
    plan_version: int | None
    subject: str
    customer_code: str | None
    unit_code: str | None
    happened_at: Instant
    done_by: str
    ends_at: Instant | None
    agreement_no: str | None
    development_unit: str | None
    lead: str | None
    stage: str | None
    case_kind: str | None
    reason: str | None
    unit_path: str | None
    manager_a: str | None
    manager_b: str | None
    partition: int
    record_offset: int


class Customer360(Answer):
    """Everything about a customer, that of customers merged into it included. What the caller's roles do not show is empty
    or null."""

    asked: str = Field(description="The code asked for.")
    customer: CustomerFile
    codes: list[str] = Field(description="Its own and those merged into it.")
    tiers: list[HeldTier]
    movements: list[TierMovement]
    revenue: list[MonthBooked]
    agreements: list[dict[str, Any]] = Field(description="All of them, with `state`.")
    counter_codes: list[dict[str, Any]]
    windows: list[Window]
    plans: list[Plan]
    declaration: Declaration | None
    suspense: list[Held]
    events: list[CustomerEvent] = Field(description="The latest 200.")
    claims_events: list[ClaimsEvent] = Field(description="The latest 200.")
