"""The figures of the first page, each within what its own operation shows to the caller."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.customers import HAS_REVENUE
from services.reporting.adapters.reads.dead_letters import dead_letter_summary
from services.reporting.adapters.reads.declarations import declaration_counts
from services.reporting.adapters.reads.freshness import latest_event
from services.reporting.adapters.reads.movements import MovementFilter, movements
from services.reporting.adapters.reads.plans import plan_counts
from services.reporting.adapters.reads.rows import Row, fetch, fetch_one
from services.reporting.adapters.reads.suspense import suspense_summary
from shared.auth.policy import permit
from shared.auth.principals import Principal
from shared.clock import business_date

LATEST_MOVEMENTS: Final = 10
ENDING_SOON: Final = timedelta(days=7)


async def dashboard(reads: Reads, caller: Principal) -> Row:
    """`{customers, tiers, revenue, movements, declarations, windows, suspense, dead_letters, as_of}`.

    `customers`: `{total, potential, active, key_accounts, with_agreement}` of those neither merged nor retired. `tiers`:
    `[{scheme, tier, count}]` without `none`. `revenue`: `{year, total_fen, last_year_fen, by_month: [{month, amount_fen,
    last_year_fen}], by_line: [{line, amount_fen, last_year_fen}]}` of the latest year with bookings (this year where there
    are none); a figure without data is null. `movements`: the ten latest rows of `movements`. `declarations`: `{open,
    due_soon, breached, …}`. `windows`: `{active, ending_7d, settling, …}` of the caller's units. `suspense`: `{held,
    amount_fen, customers, by_reason, by_age}`. `dead_letters`: `{open, …}`. `as_of`: the latest event time reflected.

    A part that the caller's roles do not show is null: suspense to managers, dead letters to all but the root's.
    """
    shown: Row = {"declarations": None, "windows": None, "suspense": None, "dead_letters": None}
    async with reads.reading(caller, "customers.read") as connection:
        shown["customers"] = await fetch_one(connection, _CUSTOMERS)
        shown["tiers"] = await fetch(connection, _TIERS)
        shown["revenue"] = await _revenue(connection, reads.now())
    latest = await movements(reads, caller, MovementFilter(), None, LATEST_MOVEMENTS)
    shown["movements"] = latest.items
    if permit(caller, "declarations.read") is None:
        shown["declarations"] = await declaration_counts(reads, caller)
    if permit(caller, "plans.read") is None:
        shown["windows"] = await plan_counts(reads, caller, reads.now() + ENDING_SOON)
    if permit(caller, "suspense.read") is None:
        shown["suspense"] = await suspense_summary(reads, caller)
    if permit(caller, "dead_letters.read") is None:
        shown["dead_letters"] = await dead_letter_summary(reads, caller)
    shown["as_of"] = await latest_event(reads, caller)
    return shown


_CUSTOMERS: Final = f"""
SELECT count(*) AS total, count(*) FILTER (WHERE c.kind = 'potential' AND NOT {HAS_REVENUE}) AS potential,
    count(*) FILTER (WHERE c.kind = 'active' OR {HAS_REVENUE}) AS active,
    (SELECT count(DISTINCT t.customer_code) FROM tier_view t WHERE t.key_account) AS key_accounts,
    count(*) FILTER (WHERE c.agreements_in_force > 0) AS with_agreement
FROM customer_view c WHERE c.status = 'active'
"""
_TIERS: Final = (
    "SELECT scheme, tier, count(*) AS count FROM tier_view WHERE tier <> 'none' "
    "GROUP BY scheme, tier ORDER BY scheme, tier"
)
_YEAR: Final = "SELECT max(year) AS year FROM revenue_view WHERE transactions > 0 AND year <= :present"


async def _revenue(connection: AsyncConnection, now: datetime) -> Row:
    present = business_date(now).year
    year = (await fetch_one(connection, _YEAR, {"present": present}))["year"] or present
    sums = (
        "sum(amount_fen) FILTER (WHERE year = CAST(:year AS bigint)) AS amount_fen, "
        "sum(amount_fen) FILTER (WHERE year = CAST(:year AS bigint) - 1) AS last_year_fen "
        "FROM revenue_view WHERE year IN (CAST(:year AS bigint), CAST(:year AS bigint) - 1)"
    )
    total = await fetch_one(connection, f"SELECT {sums}", {"year": year})
    return {
        "year": year,
        "total_fen": total["amount_fen"],
        "last_year_fen": total["last_year_fen"],
        "by_month": await fetch(
            connection, f"SELECT month, {sums} GROUP BY month ORDER BY month", {"year": year}
        ),
        "by_line": await fetch(
            connection, f"SELECT line, {sums} GROUP BY line ORDER BY line", {"year": year}
        ),
    }
