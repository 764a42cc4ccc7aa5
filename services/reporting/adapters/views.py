"""The views in PostgreSQL: one statement for each kind of message, with arrays, however large the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.reporting.adapters.writes import claims, dead_letters, following, registry, revenue, tiering
from services.reporting.adapters.writes.tables import Table, columns_of
from services.reporting.domain.freshness import Freshness
from services.reporting.handlers.held_items import HeldItem
from services.reporting.handlers.letters import Letter
from services.reporting.handlers.reading import Gone
from shared.contracts.claims_v1 import ClaimsEvent, PlanState, WindowState
from shared.contracts.envelope import Message
from shared.contracts.operation_v1 import DeadLetterDisposed
from shared.contracts.registry_v1 import (
    CustomerEvent,
    CustomerState,
    DeclarationState,
    RegistryAlert,
    UnitState,
)
from shared.contracts.tiering_v1 import RevenueState, TierChanged, TierState
from shared.messaging.states import StateRecord
from shared.messaging.work import Work

VIEWS_LOCK: Final = 7_305_101
CHANNEL: Final = "views"
"""Where a commit is announced: the payload names the views that it changed, with commas between."""

_TABLES: Final[dict[type[Message], Table[Any]]] = {
    UnitState: registry.UNITS,
    CustomerState: registry.CUSTOMERS,
    CustomerEvent: registry.CUSTOMER_EVENTS,
    DeclarationState: registry.DECLARATIONS,
    RegistryAlert: registry.ALERTS,
    TierState: tiering.TIERS,
    TierChanged: tiering.MOVEMENTS,
    PlanState: claims.PLANS,
    ClaimsEvent: claims.CLAIMS_EVENTS,
}
_STATEMENTS: Final = {kind: table.statement for kind, table in _TABLES.items()}
_WINDOWS: Final = claims.WINDOWS.statement
_HELD: Final = tiering.SUSPENSE.statement
_LETTERS: Final = dead_letters.LETTERS.statement
_DISPOSALS: Final = dead_letters.DISPOSALS.statement

_FRESHNESS: Final = """
INSERT INTO view_freshness AS v (view, topic, partition, offset_reached, event_time)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::timestamptz[])
ON CONFLICT (view, topic, partition) DO UPDATE SET
    offset_reached = greatest(v.offset_reached, excluded.offset_reached),
    event_time = greatest(v.event_time, excluded.event_time)
"""


class PostgresViews:
    """The store of one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._units: list[str] = []
        self._customers: list[str] = []
        self._plans: list[str] = []
        self._held: list[Any] = []
        self._claimed: list[str] = []
        self._alerted: list[str] = []

    async def open(self) -> None:
        # Two processes at once could each miss what the other is storing: a tier whose customer is just arriving would
        # never learn its unit. Views are written in one line; every statement after this one sees what came before.
        await self._run("SELECT pg_advisory_xact_lock($1)", VIEWS_LOCK)

    async def keep(self, kind: type[Message], told: Sequence[StateRecord[Any]]) -> None:
        if not told:
            return
        if kind is RevenueState:
            await self._run(revenue.REVENUE_STATEMENT, *revenue.revenue_arrays(told))
            return
        rows = [_TABLES[kind].row(one) for one in told]
        await self._keep(_STATEMENTS[kind], rows)
        if kind is CustomerState:
            # Whom the following messages of this batch belong to is known before they are stored.
            await self._survivors([row[0] for row in rows])
        noted = {
            UnitState: self._units,
            PlanState: self._plans,
            ClaimsEvent: self._claimed,
            RegistryAlert: self._alerted,
        }.get(kind)
        if noted is not None:
            noted += [row[0] for row in rows]

    async def keep_windows(self, windows: Sequence[StateRecord[WindowState] | Gone]) -> None:
        await self._keep(_WINDOWS, [claims.WINDOWS.row(one) for one in windows])

    async def keep_held(self, items: Sequence[HeldItem]) -> None:
        await self._keep(_HELD, [tiering.SUSPENSE.row(item) for item in items])
        self._held += [item.item for item in items]

    async def keep_letters(self, letters: Sequence[Letter]) -> None:
        await self._keep(_LETTERS, [dead_letters.LETTERS.row(letter) for letter in letters])

    async def keep_disposals(self, told: Sequence[StateRecord[DeadLetterDisposed]]) -> None:
        await self._keep(_DISPOSALS, [dead_letters.DISPOSALS.row(one) for one in told])

    async def follow(self) -> None:
        units, customers, plans = self._units, self._customers, self._plans
        if customers:
            await self._run(following.FOLLOWERS, customers)
        if self._held or units or customers:
            await self._run(following.HELD, self._held, units, customers)
        if self._claimed or plans or units or customers:
            await self._run(following.CLAIMED, self._claimed, plans, units, customers)
        if self._alerted or units:
            await self._run(following.ALERTED, self._alerted, units)

    async def keep_freshness(self, reached: Sequence[Freshness]) -> None:
        rows = [(one.view, one.topic, one.partition, one.offset, one.event_at) for one in reached]
        await self._keep(_FRESHNESS, rows)

    async def announce(self, views: Sequence[str]) -> None:
        if views:
            await self._run("SELECT pg_notify($1, $2)", CHANNEL, ",".join(views))

    async def _survivors(self, codes: list[str]) -> None:
        raw = await self._work.raw()
        affected = [row["code"] for row in await raw.fetch(following.AFFECTED, codes)]
        await raw.execute(following.SURVIVORS, affected)
        self._customers += affected

    async def _keep(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await self._run(statement, *columns_of(rows))

    async def _run(self, statement: str, *values: Any) -> None:
        raw = await self._work.raw()
        await raw.execute(statement, *values)
