"""Evidence: what a customer's year adds up to by each thing that counters said beside is the sum of its bookings.

Proved in the database from the ledger alone, as far as the teller of revenue has looked at it and without what it skips.
"""

from __future__ import annotations

from typing import Final

from verifier.report import Difference, Report
from verifier.snapshot import Snapshot
from verifier.words import yuan

CHECK: Final = "evidence"
FIELDS: Final = ("counter_id", "payer_uscc", "payer_name_hash", "product", "destination")

_DIFFERENT: Final = f"""
    WITH summed AS (
        SELECT account, extract(year FROM business_date)::int AS year, said.kind, value, sum(amount_fen)::bigint AS amount_fen,
            count(*) AS bookings, min(business_date) AS first_on, max(business_date) AS last_on
        FROM ledger, LATERAL (VALUES {", ".join(f"({kind}, {name})" for kind, name in enumerate(FIELDS))}) AS said (kind, value)
        WHERE value IS NOT NULL AND seq <= (SELECT seq FROM revenue_teller)
            AND seq NOT IN (SELECT seq FROM revenue_skipped) GROUP BY 1, 2, 3, 4
    )
    SELECT a.code, year, kind, value, s.amount_fen AS summed, t.amount_fen AS kept
    FROM summed s FULL JOIN evidence_totals t USING (account, year, kind, value) LEFT JOIN accounts a ON a.number = account
    WHERE s IS NULL OR t IS NULL OR (s.amount_fen, s.bookings, s.first_on, s.last_on)
        <> (t.amount_fen, t.bookings, t.first_on, t.last_on)
    ORDER BY 1, 2, 3, 4 LIMIT 1000
"""


async def check_evidence(db: Snapshot, report: Report) -> None:
    """The table beside the ledger."""
    report.count("evidence totals", await db.value("SELECT count(*) FROM evidence_totals"))
    report.add(
        Difference(
            CHECK,
            f"{row['code']} {row['year']} {FIELDS[row['kind']]} {row['value']}",
            "amount, bookings and days",
            "none" if row["summed"] is None else yuan(row["summed"]),
            "none" if row["kept"] is None else yuan(row["kept"]),
        )
        for row in await db.rows(_DIFFERENT)
    )
