"""Reads of declarations over HTTP: as the reader role, under row-level security."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.registry.adapters.declarations import declaration_of, delegation_of, step_of
from services.registry.domain.declaration_record import Step
from services.registry.domain.declarations import Declaration
from services.registry.handlers.declaration_ports import Delegation
from shared.auth.principals import Principal
from shared.clock import Clock, business_date
from shared.listing import Column, KeysetList, Order
from shared.scope import reading

_LATEST: Final = {"number": Order((Column("number", "number", "bigint"),), descending=True)}
DECLARATIONS: Final = KeysetList(
    "declarations",
    "declarations.read",
    "SELECT * FROM declarations",
    _LATEST,
    filters={
        "state": "state = :state",
        "waiting_for": "waiting_for = :waiting_for",
        "declarer": "declarer = :declarer",
        # Declared for the unit, decided by it, or below it.
        "unit": "EXISTS (SELECT 1 FROM units u WHERE u.code = :unit AND (starts_with(unit_path || '/',"
        " u.path || '/') OR starts_with(deciding_path || '/', u.path || '/')))",
    },
)
DELEGATIONS: Final = KeysetList(
    "decision_delegations",
    "declarations.read",
    "SELECT * FROM decision_delegations",
    _LATEST,
    filters={
        "unit": "unit_code = :unit",
        "to_user": "to_user = :to_user",
        # The day is the service's, as the view of a deputy has it (`_TODAY`).
        "active": ":active = (revoked_at IS NULL AND to_on >= CAST(current_setting('app.today') AS date))",
    },
)


@dataclass(frozen=True, slots=True)
class DecisionTimes:
    """How long centres took for what they decided in some days; `open` and `open_breached` are as of now."""

    count: int
    median_seconds: int | None
    p90_seconds: int | None
    longest_seconds: int | None
    within_limit: int
    breached: int
    open: int
    open_breached: int
    by_unit: list[dict[str, Any]]


class DeclarationReads:
    """Everything that the routes of declarations read."""

    def __init__(self, reader: AsyncEngine, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    @asynccontextmanager
    async def _reading(self, caller: Principal) -> AsyncIterator[AsyncConnection]:
        async with reading(self._reader, caller, "declarations.read") as connection:
            # A deputy's view ends with the days of the delegation, by the service's clock.
            today = business_date(self._clock.now())
            await connection.execute(_TODAY, {"today": today.isoformat()})
            yield connection

    async def one(self, caller: Principal, id: str) -> tuple[Declaration, list[Step], datetime] | None:
        """A declaration in scope with its record, and when it changed last."""
        async with self._reading(caller) as connection:
            rows = await _fetch(connection, "SELECT * FROM declarations WHERE id = :id", {"id": id})
            if not rows:
                return None
            steps = await _fetch(
                connection,
                "SELECT * FROM declaration_steps WHERE declaration_id = :id ORDER BY ordinal",
                {"id": id},
            )
        return declaration_of(rows[0]), [step_of(step) for step in steps], rows[0]["changed_at"]

    async def listed(
        self, caller: Principal, asked: Mapping[str, Any], cursor: str | None, limit: int
    ) -> tuple[list[tuple[Declaration, datetime]], str | None]:
        """Declarations in scope, the latest first, narrowed by filters of `DECLARATIONS`."""
        async with self._reading(caller) as connection:
            page = await DECLARATIONS.read_in(connection, asked, cursor, limit)
        return [(declaration_of(row), row["changed_at"]) for row in page.items], page.next_cursor

    async def decision_times(
        self, caller: Principal, unit: str | None, start: datetime, end: datetime
    ) -> DecisionTimes:
        """Decisions of centres at or below a unit, made from `start` to before `end`."""
        below = (
            "(CAST(:unit AS text) IS NULL OR EXISTS (SELECT 1 FROM units u WHERE u.code = :unit"
            " AND starts_with(deciding_path || '/', u.path || '/')))"
        )
        decided = (
            "decision_seconds IS NOT NULL AND decided_at >= CAST(:start AS timestamptz)"
            f" AND decided_at < CAST(:end AS timestamptz) AND {below}"
        )
        figures = """
            count(*) AS count,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY decision_seconds)::bigint AS median_seconds,
            percentile_cont(0.9) WITHIN GROUP (ORDER BY decision_seconds)::bigint AS p90_seconds,
            max(decision_seconds) AS longest_seconds,
            count(*) FILTER (WHERE breached_at IS NULL) AS within_limit,
            count(*) FILTER (WHERE breached_at IS NOT NULL) AS breached
        """
        values = {"unit": unit, "start": start, "end": end}
        async with self._reading(caller) as connection:
            (total,) = await _fetch(connection, f"SELECT {figures} FROM declarations WHERE {decided}", values)
            (waiting,) = await _fetch(
                connection,
                "SELECT count(*) AS open, count(*) FILTER (WHERE breached_at IS NOT NULL) AS open_breached"
                f" FROM declarations WHERE waiting_for = 'centre' AND {below}",
                {"unit": unit},
            )
            units = await _fetch(
                connection,
                f"SELECT deciding_unit AS unit_code, {figures} FROM declarations WHERE {decided}"
                " GROUP BY deciding_unit ORDER BY deciding_unit",
                values,
            )
        return DecisionTimes(**total, **waiting, by_unit=units)

    async def delegations(
        self, caller: Principal, asked: Mapping[str, Any], cursor: str | None, limit: int
    ) -> tuple[list[Delegation], str | None]:
        """Delegations in scope, or given to or by the caller, the latest first, narrowed by filters of `DELEGATIONS`."""
        async with self._reading(caller) as connection:
            page = await DELEGATIONS.read_in(connection, asked, cursor, limit)
        return [delegation_of(row) for row in page.items], page.next_cursor


_TODAY: TextClause = text("SELECT set_config('app.today', :today, true)")


async def _fetch(connection: AsyncConnection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(text(query), dict(values))).mappings()]
