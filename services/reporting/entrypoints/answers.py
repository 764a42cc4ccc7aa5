"""What the views answer to programs: rows and figures under the names of the contracts, money in yuan, instants with the offset
of Asia/Shanghai.

Fields are named as `adapters.reads` names them; `amount_fen` there is `amount` outside.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import ConfigDict, Field

from shared.contracts.fields import Day, Figure, Instant, Part


def _outside(name: str) -> str:
    return name.removesuffix("_fen").removesuffix("_")


class Answer(Part):
    """A part of an answer of the views."""

    model_config = ConfigDict(alias_generator=_outside)


class TierMovement(Answer):
    """One change of a customer's tier under a scheme."""

    customer_code: str
    scheme: str
    version: int
    scheme_version: int
    from_tier: str
    to_tier: str
    direction: str
    reason: str
    effective_on: Day
    period: str
    total_fen: Figure = Field(description="At the change, yuan.")
    key_account: bool
    decided_at: Instant
    caused_by_source: str | None
    caused_by_id: str | None
    unit_path: str | None
    manager_a: str | None
    manager_b: str | None


class NamedMovement(TierMovement):
    """The same with the customer's name."""

    name: str | None


# -- revenue ------------------------------------------------------------------------------------------------------------


class Figures(Answer):
    """Booked in a year; null where nothing was booked."""

    amount_fen: Figure | None
    last_year_fen: Figure | None = Field(description="The whole year before.")
    pieces: int | None
    transactions: int | None
    customers: int | None = Field(description="With bookings this year.")


class MonthFigures(Figures):
    """Those of a month."""

    month: int


class LineFigures(Figures):
    """Those of a line."""

    line: str


class UnitFigures(Figures):
    """Those of the unit asked for itself, or of one below it with everything under that."""

    unit_path: str | None
    unit_code: str | None
    name_zh: str | None
    name_en: str | None


class CustomerFigures(Figures):
    """Those of a customer."""

    customer_code: str
    name: str | None


class IndustryFigures(Figures):
    """Those of an industry; null for customers without one."""

    industry: str | None


class TierFigures(Figures):
    """Those of the customers that hold a tier now."""

    scheme: str
    tier: str


class Revenue(Answer):
    """A year beside the year before, grouped."""

    year: int
    unit: str | None
    group: str
    line: str | None
    rows: list[MonthFigures | LineFigures | UnitFigures | CustomerFigures | IndustryFigures | TierFigures]
    total_fen: Figure | None
    last_year_fen: Figure | None


# -- what is held -------------------------------------------------------------------------------------------------------


class Held(Answer):
    """A transaction in suspense, or one that was."""

    item: UUID = Field(description="Names the held content.")
    source: str
    id: str
    customer_code: str = Field(description="As it was sent.")
    counter_id: str
    line: str
    kind: str
    amount_fen: Figure
    business_date: Day
    state: str
    reason: str
    held_at: Instant | None
    changed_at: Instant
    booked_for: str | None
    decided_by: str | None
    unit_path: str
    manager_a: str | None
    manager_b: str | None
    partition: int
    first_offset: int
    state_offset: int


class NamedHeld(Held):
    """The same with the customer that the code means, and how long it has been held."""

    name: str | None
    age_days: int | None


class HeldPage(Answer):
    """A page of held transactions."""

    items: list[NamedHeld]
    next_cursor: str | None


class HeldByReason(Answer):
    """What is held for a reason."""

    reason: str
    count: int
    amount_fen: Figure
    customers: int
    oldest: Instant | None


class HeldByAge(Answer):
    """What has been held for less than a day, 7 days or 30 days, or longer (`1d`, `7d`, `30d`, `older`)."""

    age: str
    count: int
    amount_fen: Figure


class HeldSummary(Answer):
    """What is held now; amounts are of sales and reversals alike, `customers` counts the codes as sent."""

    held: int
    amount_fen: Figure
    customers: int
    by_reason: list[HeldByReason]
    by_age: list[HeldByAge]


# -- the first page -----------------------------------------------------------------------------------------------------


class CustomerCounts(Answer):
    """Customers that are neither merged nor retired."""

    total: int
    potential: int
    active: int
    key_accounts: int
    with_agreement: int


class TierCount(Answer):
    """How many customers hold a tier."""

    scheme: str
    tier: str
    count: int


class MonthRevenue(Answer):
    """A month beside the same one of the year before."""

    month: int
    amount_fen: Figure | None
    last_year_fen: Figure | None


class LineRevenue(Answer):
    """A line beside the year before."""

    line: str
    amount_fen: Figure | None
    last_year_fen: Figure | None


class BoardRevenue(Answer):
    """The latest year with bookings."""

    year: int
    total_fen: Figure | None
    last_year_fen: Figure | None
    by_month: list[MonthRevenue]
    by_line: list[LineRevenue]


class DeclarationCounts(Answer):
    """Declarations by how they stand."""

    open: int
    due_soon: int
    breached: int
    decided: int
    decided_in_time: int
    median_seconds: int | None


class WindowCounts(Answer):
    """Windows and plans of the caller's units."""

    active: int
    ending_7d: int
    settling: int
    review: int
    overdue: int


class LettersByReason(Answer):
    """Dead letters of a service that lie open for a reason."""

    service: str
    reason: str | None
    count: int
    customers: int
    amount_fen: Figure
    oldest: Instant | None


class LetterSummary(Answer):
    """Dead letters that lie open; amounts and customers as far as messages could be read."""

    open: int
    customers: int
    amount_fen: Figure
    by_reason: list[LettersByReason]


class Dashboard(Answer):
    """The figures of the first page; a part that the caller's roles do not show is null."""

    customers: CustomerCounts
    tiers: list[TierCount]
    revenue: BoardRevenue
    movements: list[NamedMovement]
    declarations: DeclarationCounts | None
    windows: WindowCounts | None
    suspense: HeldSummary | None
    dead_letters: LetterSummary | None
    as_of: Instant | None = Field(description="The latest event time that any view reflects.")


# -- tiers from and to --------------------------------------------------------------------------------------------------


class CellCustomer(Answer):
    """A customer behind a cell."""

    customer_code: str
    name: str | None


class Cell(Answer):
    """The customers that stood at one tier before and stand at the other now."""

    from_tier: str
    to_tier: str
    count: int
    customers: list[CellCustomer] = Field(description="At most 50 of them.")


class TierMatrix(Answer):
    """Where customers stood before `from` and at the end of `to`."""

    scheme: str
    from_: Day
    to: Day
    cells: list[Cell]


# -- alerts -------------------------------------------------------------------------------------------------------------


class Alert(Answer):
    """What somebody should look at."""

    event_id: str
    service: str
    alert: str
    subject: str = Field(
        description="A declaration, a range's division, a customer's code, or `uscc:` and a credit code."
    )
    unit_code: str | None
    unit_path: str | None
    manager_a: str | None
    manager_b: str | None
    escalated_to: str | None
    due_at: Instant | None = Field(description="Of a window its end.")
    raised_at: Instant
    plan_id: str | None
    customer_code: str | None
    case_kind: str | None
    name: str | None
    open: bool = Field(description="What it is about still stands.")


class Alerts(Answer):
    """A page of alerts."""

    items: list[Alert]
    next_cursor: str | None
