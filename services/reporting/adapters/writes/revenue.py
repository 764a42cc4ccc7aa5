"""The view of booked revenue: a state replaces a customer's whole year, and months that are gone from it go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.reporting.adapters.writes.tables import belonging, columns_of
from shared.contracts.tiering_v1 import RevenueState
from shared.messaging.states import StateRecord

REVENUE_STATEMENT: Final = f"""
WITH given AS (
    SELECT * FROM unnest($6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::numeric[], $11::numeric[], $12::bigint[])
        AS t(customer_code, year, month, line, amount_fen, pieces, transactions)
), years AS (
    INSERT INTO revenue_year_view AS v (customer_code, year, version, merged_into, as_of)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[])
        AS t(customer_code, year, version, merged_into, as_of)
    ORDER BY customer_code, year
    ON CONFLICT (customer_code, year) DO UPDATE SET (version, merged_into, as_of)
        = (excluded.version, excluded.merged_into, excluded.as_of) WHERE v.version < excluded.version
    RETURNING v.customer_code, v.year
), gone AS (
    DELETE FROM revenue_view r USING years y WHERE r.customer_code = y.customer_code AND r.year = y.year
        AND NOT EXISTS (SELECT FROM given g WHERE (g.customer_code, g.year, g.month, g.line)
            = (r.customer_code, r.year, r.month, r.line))
)
INSERT INTO revenue_view AS v (customer_code, year, month, line, amount_fen, pieces, transactions, unit_path, manager_a,
    manager_b)
SELECT t.*, s.unit_path, s.manager_a, s.manager_b FROM given t JOIN years y USING (customer_code, year)
{belonging("t", "customer_code")}
ORDER BY t.customer_code, t.year, t.month, t.line
ON CONFLICT (customer_code, year, month, line) DO UPDATE SET (amount_fen, pieces, transactions)
    = (excluded.amount_fen, excluded.pieces, excluded.transactions)
"""


def revenue_arrays(told: Sequence[StateRecord[RevenueState]]) -> list[list[Any]]:
    """The parameters of the statement: the years, then their months."""
    years = [
        (one.state.customer_code, one.state.year, one.state.version, one.state.merged_into, one.state.as_of)
        for one in told
    ]
    months = [row for one in told for row in _months(one.state)]
    return [*columns_of(years), *(columns_of(months) if months else [[] for _ in range(7)])]


def _months(state: RevenueState) -> list[tuple[Any, ...]]:
    # A row can be written once in a statement, so a month that is given twice is added up first.
    found: dict[tuple[int, str], tuple[int, int, int]] = {}
    for one in state.months:
        amount, pieces, transactions = found.get((one.month, one.line), (0, 0, 0))
        found[one.month, one.line] = (
            amount + one.amount_fen,
            pieces + one.pieces,
            transactions + one.transactions,
        )
    return [(state.customer_code, state.year, month, line, *sums) for (month, line), sums in found.items()]
