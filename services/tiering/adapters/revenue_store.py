"""What of the ledger has still to be told as revenue, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tiering.handlers.tell_revenue import (
    EVIDENCE_KINDS,
    DueYear,
    EvidenceCell,
    MonthCell,
    YearRevenue,
)
from shared.messaging.work import Work

SPAN: Final = 200_000
"""Bookings looked through in one unit of work."""

# Only the row of the teller is locked: booking goes on meanwhile.
_OPEN: Final = "SELECT t.seq, t.version, h.seq AS head FROM revenue_teller t, ledger_head h FOR UPDATE OF t"
_GATHER: Final = """
    WITH fresh AS (
        SELECT account, extract(year FROM business_date)::smallint AS year, business_date, amount_fen, counter_id,
            payer_uscc, payer_name_hash, product, destination
        FROM ledger WHERE seq > $1 AND seq <= $2
    ), due AS (
        INSERT INTO revenue_due (account, year, since) SELECT DISTINCT account, year, $2::bigint FROM fresh
        ON CONFLICT DO NOTHING
    )
    INSERT INTO evidence_totals AS t (account, year, kind, value, amount_fen, bookings, first_on, last_on)
    SELECT account, year, kind, value, sum(amount_fen), count(*), min(business_date), max(business_date)
    FROM fresh, LATERAL (VALUES (0, counter_id), (1, payer_uscc), (2, payer_name_hash), (3, product), (4, destination))
        AS said (kind, value)
    WHERE value IS NOT NULL GROUP BY account, year, kind, value
    ON CONFLICT (account, year, kind, value) DO UPDATE SET amount_fen = t.amount_fen + excluded.amount_fen,
        bookings = t.bookings + excluded.bookings, first_on = least(t.first_on, excluded.first_on),
        last_on = greatest(t.last_on, excluded.last_on)
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
_SKIP: Final = """
    WITH passed AS (UPDATE revenue_teller SET seq = $1 WHERE seq = $1 - 1 RETURNING seq)
    INSERT INTO revenue_skipped SELECT seq FROM passed
"""
_TOTALS: Final = """
    SELECT w.account, a.code, w.year, s.code AS merged_into, t.months, t.lines, t.amounts, t.pieces, t.counts
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
# Evidence stays with the account that was booked: a survivor's is summed over all that it was merged from.
_EVIDENCE: Final = """
    WITH RECURSIVE parts AS (
        SELECT number AS whole, number FROM accounts WHERE number = ANY($1::int[]) AND merged_into IS NULL
        UNION SELECT p.whole, a.number FROM accounts a JOIN parts p ON a.merged_into = p.number
    )
    SELECT w.account, w.year, e.kind, e.value, sum(e.amount_fen)::bigint AS amount_fen, sum(e.bookings)::bigint AS bookings,
        min(e.first_on) AS first_on, max(e.last_on) AS last_on
    FROM unnest($1::int[], $2::int[]) AS w (account, year)
    JOIN parts p ON p.whole = w.account
    JOIN evidence_totals e ON e.account = p.number AND e.year = w.year
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 5 DESC, 4
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
        # Evidence is added up, so that a booking must not be noted twice, whoever has noted it in the meantime.
        if await db.fetchval("DELETE FROM revenue_skipped WHERE seq = $1 RETURNING seq", seq) is not None:
            await db.execute(_GATHER, seq - 1, seq)

    async def skip(self, seq: int) -> None:
        db = await self._work.raw()
        await db.execute(_SKIP, seq)

    async def _totals(self, due: Sequence[DueYear]) -> list[YearRevenue]:
        """Years with what they add up to now, and the evidence for it."""
        db = await self._work.raw()
        evidence: dict[DueYear, list[EvidenceCell]] = {}
        for account, year, kind, *cell in await db.fetch(_EVIDENCE, *_columns(due)):
            evidence.setdefault((account, year), []).append(EvidenceCell(EVIDENCE_KINDS[kind], *cell))
        rows = await db.fetch(_TOTALS, *_columns(due))
        return [_year(row, evidence.get((row["account"], row["year"]), [])) for row in rows]


def _columns(due: Sequence[DueYear]) -> tuple[list[int], list[int]]:
    return [account for account, _ in due], [year for _, year in due]


def _year(row: Any, evidence: list[EvidenceCell]) -> YearRevenue:
    cells = [
        MonthCell(month, line, fen, int(pieces), count)
        for month, line, fen, pieces, count in zip(
            row["months"] or (), row["lines"] or (), row["amounts"] or (), row["pieces"] or (),
            row["counts"] or (), strict=True,
        )
    ]  # fmt: skip
    return YearRevenue(row["code"], row["year"], row["merged_into"], cells, evidence)


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
