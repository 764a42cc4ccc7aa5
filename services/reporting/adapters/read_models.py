"""Reads over HTTP: as the reader role, under row-level security, so that a query without a filter of its own still
returns nothing from outside the caller's units.

This is the way in; how each answer is made, and the shape of its rows, stands in `adapters.reads`. Money is fen (`int`),
instants are aware, and a list answers with its rows and the cursor of the next page.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.adapters.reads import (
    alerts,
    customer360,
    customers,
    dashboard,
    dead_letters,
    declarations,
    freshness,
    movements,
    plans,
    revenue,
    suspense,
    units,
    windows,
)
from services.reporting.adapters.reads.alerts import AlertFilter
from services.reporting.adapters.reads.customers import NO_TIER, CustomerFilter
from services.reporting.adapters.reads.dead_letters import DeadLetterFilter
from services.reporting.adapters.reads.declarations import DeclarationFilter
from services.reporting.adapters.reads.movements import MovementFilter
from services.reporting.adapters.reads.plans import PlanFilter
from services.reporting.adapters.reads.revenue import REVENUE_GROUPS, RevenueFilter, RevenueGroup
from services.reporting.adapters.reads.rows import Page, Row
from services.reporting.adapters.reads.suspense import SuspenseFilter
from shared.auth.principals import Principal
from shared.clock import Clock, SystemClock

__all__ = (
    "NO_TIER",
    "REVENUE_GROUPS",
    "AlertFilter",
    "CustomerFilter",
    "DeadLetterFilter",
    "DeclarationFilter",
    "MovementFilter",
    "Page",
    "PlanFilter",
    "ReadModels",
    "RevenueFilter",
    "RevenueGroup",
    "Row",
    "SuspenseFilter",
)


class ReadModels:
    """Everything that routes and pages read. The caller's scope bounds every answer; whether the caller may ask at all is
    the route's to decide (`shared.auth.http.require`)."""

    def __init__(self, reader: AsyncEngine, clock: Clock | None = None) -> None:
        self._reader = reader
        self._clock = clock or SystemClock()

    async def dashboard(self, caller: Principal) -> Row:
        """See `reads.dashboard`."""
        return await dashboard.dashboard(self._reader, caller, self._clock.now())

    # -- customers and tiers ----------------------------------------------------------------------------------------

    async def customers(
        self, caller: Principal, asked: CustomerFilter, cursor: str | None, limit: int
    ) -> Page:
        """A page of customers, each with this year's revenue and its tiers."""
        return await customers.customers(self._reader, caller, self._clock.now(), asked, cursor, limit)

    async def customer_counts(self, caller: Principal, asked: CustomerFilter) -> Row:
        """`{total, revenue_fen, year}` of the whole list."""
        return await customers.customer_counts(self._reader, caller, self._clock.now(), asked)

    async def customer(self, caller: Principal, code: str) -> Row | None:
        """One customer with its tiers and every change of them, or None where the caller sees none of this code."""
        return await customers.customer(self._reader, caller, code)

    async def customer360(self, caller: Principal, code: str) -> Row | None:
        """See `reads.customer360`: everything about a customer, under its survivor where it was merged."""
        return await customer360.customer360(self._reader, caller, self._clock.now(), code)

    async def movements(
        self, caller: Principal, asked: MovementFilter, cursor: str | None, limit: int
    ) -> Page:
        """A page of tier changes, the latest decided first."""
        return await movements.movements(self._reader, caller, asked, cursor, limit)

    async def tier_matrix(
        self, caller: Principal, scheme: str, from_: date, to: date, unit: str | None = None
    ) -> Row:
        """`{scheme, from, to, cells: [{from_tier, to_tier, count, customers: [{customer_code, name}]}]}`."""
        return await movements.tier_matrix(self._reader, caller, scheme, from_, to, unit)

    async def revenue(
        self,
        caller: Principal,
        unit: str | None,
        year: int,
        group: RevenueGroup,
        line: str | None = None,
    ) -> Row:
        """`{year, unit, group, line, rows, total_fen, last_year_fen}`; the rows by `group` as `reads.revenue` says."""
        return await revenue.revenue(self._reader, caller, unit, year, group, line)

    async def revenue_rows(
        self, caller: Principal, asked: RevenueFilter, cursor: str | None, limit: int
    ) -> Page:
        """A page of figures by customer, year, month and line."""
        return await revenue.revenue_rows(self._reader, caller, asked, cursor, limit)

    # -- declarations, plans, windows -------------------------------------------------------------------------------

    async def declarations(
        self, caller: Principal, asked: DeclarationFilter, cursor: str | None, limit: int
    ) -> Page:
        """A page of declarations with `hours_left`, the most urgent first."""
        now = self._clock.now()
        return await declarations.declarations(self._reader, caller, now, asked, cursor, limit)

    async def declaration(self, caller: Principal, declaration_id: str) -> Row | None:
        """One row of `declarations`, or None."""
        return await declarations.declaration(self._reader, caller, self._clock.now(), declaration_id)

    async def declaration_counts(self, caller: Principal) -> Row:
        """`{open, due_soon, breached, decided, decided_in_time, median_seconds}`."""
        return await declarations.declaration_counts(self._reader, caller, self._clock.now())

    async def plans(self, caller: Principal, asked: PlanFilter, cursor: str | None, limit: int) -> Page:
        """A page of plans, the latest submitted first."""
        return await plans.plans(self._reader, caller, self._clock.now(), asked, cursor, limit)

    async def plan(self, caller: Principal, plan_id: str) -> Row | None:
        """One plan with its `events`, or None."""
        return await plans.plan(self._reader, caller, plan_id)

    async def windows(
        self,
        caller: Principal,
        from_: datetime | None = None,
        to: datetime | None = None,
        unit: str | None = None,
        past: bool = True,
    ) -> list[Row]:
        """Windows that touch the period, for the time line: those in force of every unit, past ones of one's own."""
        return await windows.windows(self._reader, caller, from_, to, unit, past)

    async def current_windows(
        self, caller: Principal, unit: str | None, cursor: str | None, limit: int
    ) -> Page:
        """A page of the windows in force or settling, those that end first coming first."""
        return await windows.current_windows(self._reader, caller, unit, cursor, limit)

    # -- what is stuck ----------------------------------------------------------------------------------------------

    async def suspense(
        self, caller: Principal, asked: SuspenseFilter, cursor: str | None, limit: int
    ) -> Page:
        """A page of held transactions, those held for the longest first."""
        return await suspense.suspense(self._reader, caller, self._clock.now(), asked, cursor, limit)

    async def suspense_summary(self, caller: Principal) -> Row:
        """`{held, amount_fen, customers, by_reason, by_age}`."""
        return await suspense.suspense_summary(self._reader, caller, self._clock.now())

    async def suspense_item(self, caller: Principal, item: UUID) -> Row | None:
        """One row of `suspense`, or None."""
        return await suspense.suspense_item(self._reader, caller, self._clock.now(), item)

    async def suspense_codes(self, caller: Principal, reason: str) -> list[Row]:
        """What is held for a reason, by code, the largest sum first."""
        return await suspense.suspense_codes(self._reader, caller, reason)

    async def dead_letters(
        self, caller: Principal, asked: DeadLetterFilter, cursor: str | None, limit: int
    ) -> Page:
        """A page of dead letters of all services, the latest first."""
        return await dead_letters.dead_letters(self._reader, caller, asked, cursor, limit)

    async def dead_letter_summary(self, caller: Principal) -> Row:
        """`{open, customers, amount_fen, by_reason}`."""
        return await dead_letters.dead_letter_summary(self._reader, caller)

    async def alerts(self, caller: Principal, asked: AlertFilter, cursor: str | None, limit: int) -> Page:
        """A page of what somebody should look at, the latest first."""
        return await alerts.alerts(self._reader, caller, asked, cursor, limit)

    # -- freshness --------------------------------------------------------------------------------------------------

    async def units(self, caller: Principal) -> list[Row]:
        """`[{unit_code, name_zh, name_en, unit_path}]` of every unit: names are published inside."""
        return await units.units(self._reader, caller)

    async def freshness(self, caller: Principal) -> list[Row]:
        """How far each view has come in each partition."""
        return await freshness.freshness(self._reader, caller)

    async def latest_event(self, caller: Principal) -> datetime | None:
        """The latest event time that any view reflects, None before the first event."""
        return await freshness.latest_event(self._reader, caller)
