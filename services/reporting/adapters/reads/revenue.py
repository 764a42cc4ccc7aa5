"""Revenue by unit, month, line, customer, tier or industry, beside the year before (REP-4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import Row, fetch, given, in_unit
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page

RevenueGroup = Literal["month", "line", "unit", "customer", "industry", "tier"]
REVENUE_GROUPS: Final[tuple[RevenueGroup, ...]] = get_args(RevenueGroup)
CUSTOMERS_MAX: Final = 500
"""How many customers a list by customer shows, those with the most revenue first."""

_SUMS: Final = """
    sum(r.amount_fen) FILTER (WHERE r.year = CAST(:year AS bigint)) AS amount_fen,
    sum(r.amount_fen) FILTER (WHERE r.year = CAST(:year AS bigint) - 1) AS last_year_fen,
    sum(r.pieces) FILTER (WHERE r.year = CAST(:year AS bigint)) AS pieces,
    sum(r.transactions) FILTER (WHERE r.year = CAST(:year AS bigint)) AS transactions,
    count(DISTINCT r.customer_code) FILTER (WHERE r.year = CAST(:year AS bigint)) AS customers
"""
"""What no booking has given is null and never 0: “no data” (REP-4)."""

_YEARS: Final = "r.year IN (CAST(:year AS bigint), CAST(:year AS bigint) - 1)"
_FROM: Final = f"FROM revenue_view r WHERE {_YEARS}"

_BY_UNIT: Final = """
WITH top AS (
    SELECT unit_path FROM unit_view WHERE CASE WHEN CAST(:unit AS text) IS NULL THEN parent IS NULL ELSE unit_code = :unit END
    ORDER BY unit_path LIMIT 1
), r AS (
    SELECT r.*, CASE
        WHEN t.unit_path IS NULL OR r.unit_path = t.unit_path THEN r.unit_path
        WHEN starts_with(r.unit_path, t.unit_path || '/')
            THEN t.unit_path || '/' || split_part(substr(r.unit_path, length(t.unit_path) + 2), '/', 1)
        ELSE r.unit_path END AS child_path
    %(source)s
)
SELECT child_path AS unit_path, u.unit_code, u.name_zh, u.name_en, %(sums)s
FROM r LEFT JOIN unit_view u ON u.unit_path = r.child_path
GROUP BY child_path, u.unit_code, u.name_zh, u.name_en ORDER BY child_path
"""


async def revenue(
    reads: Reads,
    caller: Principal,
    unit: str | None,
    year: int,
    group: RevenueGroup,
    line: str | None = None,
) -> Row:
    """`{year, unit, group, line, rows, total_fen, last_year_fen}`.

    Each row has `amount_fen`, `last_year_fen` (the whole year before), `pieces`, `transactions`, `customers` (with
    bookings this year), each null without data, and by group: `month` (1-12) · `line` · `unit_path`, `unit_code`,
    `name_zh`, `name_en` (the asked unit itself and each unit directly below it with everything under that; the names are
    null until the unit is known) · `customer_code`, `name` (at most 500, the most revenue first) · `industry` · `scheme`,
    `tier` (the present one; a customer counts under each scheme).
    """
    values: Row = {"year": year}
    narrowed = ""
    if unit is not None:
        narrowed += f" AND {in_unit('r')}"
        values["unit"] = unit
    if line is not None:
        narrowed += " AND r.line = :line"
        values["line"] = line
    async with reads.reading(caller, "customers.read") as connection:
        rows = await _rows(connection, group, narrowed, values)
        (total,) = await fetch(connection, f"SELECT {_SUMS} {_FROM}{narrowed}", values)
    return {
        "year": year,
        "unit": unit,
        "group": group,
        "line": line,
        "rows": rows,
        "total_fen": total["amount_fen"],
        "last_year_fen": total["last_year_fen"],
    }


async def _rows(connection: AsyncConnection, group: RevenueGroup, narrowed: str, values: Row) -> list[Row]:
    if group in ("month", "line"):
        query = f"SELECT r.{group}, {_SUMS} {_FROM}{narrowed} GROUP BY 1 ORDER BY 1"
        return await fetch(connection, query, values)
    if group == "unit":
        source = f"FROM revenue_view r LEFT JOIN top t ON true WHERE {_YEARS}{narrowed}"
        return await fetch(connection, _BY_UNIT % {"source": source, "sums": _SUMS}, {"unit": None, **values})
    if group == "customer":
        query = (
            f"SELECT r.customer_code, c.name, {_SUMS} FROM revenue_view r "
            f"LEFT JOIN customer_view c USING (customer_code) WHERE {_YEARS}{narrowed} "
            "GROUP BY 1, 2 ORDER BY amount_fen DESC NULLS LAST, 1 LIMIT :most"
        )
        return await fetch(connection, query, {**values, "most": CUSTOMERS_MAX})
    if group == "industry":
        query = (
            f"SELECT c.industry, {_SUMS} FROM revenue_view r LEFT JOIN customer_view c USING (customer_code) "
            f"WHERE {_YEARS}{narrowed} GROUP BY 1 ORDER BY 1 NULLS LAST"
        )
        return await fetch(connection, query, values)
    query = (
        f"SELECT t.scheme, t.tier, {_SUMS} FROM revenue_view r JOIN tier_view t USING (customer_code) "
        f"WHERE {_YEARS}{narrowed} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return await fetch(connection, query, values)


@dataclass(frozen=True, slots=True)
class RevenueFilter:
    """What the list of monthly figures is narrowed to."""

    unit: str | None = None
    year: int | None = None
    line: str | None = None
    customer: str | None = None


_LIST: Final = KeysetList(
    "revenue",
    "customers.read",
    "SELECT r.*, c.name FROM revenue_view r LEFT JOIN customer_view c ON c.customer_code = r.customer_code",
    orders={
        "code": Order(
            (
                Column("r.customer_code", "customer_code"),
                Column("r.year", "year", "bigint"),
                Column("r.month", "month", "bigint"),
                Column("r.line", "line"),
            )
        )
    },
    filters={
        "unit": in_unit("r"),
        "year": "r.year = :year",
        "line": "r.line = :line",
        "customer": "r.customer_code = :customer",
    },
)


async def revenue_rows(
    reads: Reads, caller: Principal, asked: RevenueFilter, cursor: str | None, limit: int
) -> Page:
    """Every figure by customer, year, month and line: the columns of `revenue_view` and the customer's `name`."""
    return await _LIST.read(reads.reader, caller, given(asked), cursor, limit)
