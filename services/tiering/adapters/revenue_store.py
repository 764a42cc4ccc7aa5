"""What of the ledger has still to be told as revenue, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tiering.handlers.tell_revenue import DueYear, MonthCell, YearRevenue
from shared.messaging.work import Work

SPAN: Final = 200_000
"""Bookings looked through in one unit of work."""

# Only the row of the teller is locked: booking goes on meanwhile.
_OPEN: Final = "SELECT t.seq, t.version, h.seq AS head FROM revenue_teller t, ledger_head h FOR UPDATE OF t"
_GATHER: Final = """
    INSERT INTO revenue_due (account, year, since)
    SELECT DISTINCT account, extract(year FROM business_date)::smallint, $2::bigint
    FROM ledger WHERE seq > $1 AND seq <= $2
    ON CONFLICT DO NOTHING
"""
# A merge may be adding to the same rows under the ledger's lock; what it holds is told the next time. Waiting for it here
# could end in a deadlock, because it may wait for rows that this unit of work has taken.
_TAKE: Final = """
    DELETE FROM revenue_due d USING (
        SELECT account, year FROM revenue_due ORDER BY since LIMIT $1 FOR UPDATE SKIP LOCKED
    ) AS oldest
    WHERE d.account = oldest.account AND d.year = oldest.year
    RETURNING d.account, d.year
"""
_DROP: Final = """
    DELETE FROM revenue_due d USING unnest($1::int[], $2::int[]) AS w (account, year)
    WHERE d.account = w.account AND d.year = w.year
"""
_TOTALS: Final = """
    SELECT a.code, w.year, s.code AS merged_into, t.months, t.lines, t.amounts, t.pieces, t.counts
    FROM unnest($1::int[], $2::int[]) AS w (account, year)
    JOIN accounts a ON a.number = w.account
    LEFT JOIN accounts s ON s.number = a.merged_into
    LEFT JOIN LATERAL (
        SELECT array_agg(month % 100) AS months, array_agg(line) AS lines, array_agg(amount_fen) AS amounts,
               array_agg(pieces::text) AS pieces, array_agg(count) AS counts
        FROM (SELECT * FROM month_totals m WHERE m.account = w.account AND m.month BETWEEN w.year * 100 + 1
              AND w.year * 100 + 12 ORDER BY month, line) AS ordered
    ) AS t ON true
"""


class PostgresRevenue:
    """One unit of work's view of what is due."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def gather(self, upto: int | None = None) -> int:
        db = await self._work.raw()
        told, version, head = await db.fetchrow(_OPEN)
        # The head may have been read before another instance's telling that this one has waited for.
        last = max(head, told) if upto is None else max(upto, told)
        upto = min(last, told + SPAN)
        if upto > told:
            await db.execute(_GATHER, told, upto)
        await db.execute("UPDATE revenue_teller SET seq = $1, version = $2", upto, version + 1)
        return int(version) + 1

    async def take(self, limit: int) -> list[YearRevenue]:
        db = await self._work.raw()
        taken = await db.fetch(_TAKE, limit)
        return await self._totals([tuple(row) for row in taken])

    async def take_these(self, due: Sequence[DueYear]) -> list[YearRevenue]:
        await self.drop(due)
        return await self._totals(due)

    async def drop(self, due: Sequence[DueYear]) -> None:
        db = await self._work.raw()
        await db.execute(_DROP, *_columns(due))

    async def note(self, seq: int) -> None:
        db = await self._work.raw()
        await db.execute(_GATHER, seq - 1, seq)

    async def skip(self, seq: int) -> None:
        db = await self._work.raw()
        await db.execute("UPDATE revenue_teller SET seq = $1 WHERE seq = $1 - 1", seq)

    async def _totals(self, due: Sequence[DueYear]) -> list[YearRevenue]:
        db = await self._work.raw()
        return [_year(row) for row in await db.fetch(_TOTALS, *_columns(due))]


def _columns(due: Sequence[DueYear]) -> tuple[list[int], list[int]]:
    return [account for account, _ in due], [year for _, year in due]


def _year(row: Any) -> YearRevenue:
    cells = [
        MonthCell(month, line, fen, int(pieces), count)
        for month, line, fen, pieces, count in zip(
            row["months"] or (), row["lines"] or (), row["amounts"] or (), row["pieces"] or (),
            row["counts"] or (), strict=True,
        )
    ]  # fmt: skip
    return YearRevenue(row["code"], row["year"], row["merged_into"], cells)


class Untold(NamedTuple):
    """The number of the last booking, of the last one looked at for telling, and whether anything is noted as due."""

    head: int
    told: int
    due: bool

    @property
    def pending(self) -> bool:
        return self.head > self.told or self.due


_UNTOLD = text("SELECT h.seq, t.seq, EXISTS (SELECT FROM revenue_due) FROM ledger_head h, revenue_teller t")


_DUE = text("SELECT account, year FROM revenue_due ORDER BY since LIMIT :limit")


async def due_years(connection: AsyncConnection, limit: int) -> list[DueYear]:
    """What has waited longest to be told."""
    return [(row.account, row.year) for row in await connection.execute(_DUE, {"limit": limit})]


async def untold(connection: AsyncConnection) -> Untold:
    """How far telling is behind booking."""
    return Untold(*(await connection.execute(_UNTOLD)).one())
