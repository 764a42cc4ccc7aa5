"""One customer on one page (REP-3): file, codes, tiers, revenue, agreements, windows, plans, records.

Customers that were merged into this one are part of it: their rows are answered under the survivor, and asking for one
of them answers with the survivor.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.customers import CUSTOMERS, tiers_of, with_kind
from services.reporting.adapters.reads.declarations import DECLARATIONS, shown
from services.reporting.adapters.reads.plans import PLANS
from services.reporting.adapters.reads.rows import Row, fetch
from shared.auth.policy import permit
from shared.auth.principals import Principal

EVENTS_MAX: Final = 200
SUSPENSE_MAX: Final = 200


async def customer360(reads: Reads, caller: Principal, code: str) -> Row | None:
    """Everything about a customer, or None where the caller sees none of this code.

    `{asked, customer, codes, tiers, movements, revenue, agreements, counter_codes, windows, plans, declaration, suspense,
    events, claims_events}`: `asked` is the code asked for, `customer` a row of `customers` without its tiers, `codes` its
    own code and those merged into it, `tiers` rows of `tier_view`, `movements` of `tier_movement_view` by decision,
    `revenue` `[{year, month, line, amount_fen, pieces, transactions}]` summed over the codes, `agreements` all of them
    `[{agreement_no, signed_on, ends_on, lines, state, ended_on, unit_code, recorded_at}]`, `counter_codes` `[{code,
    valid_from, valid_to}]`, `windows` those in force or settling, `plans` rows of `plans`, `declaration` a row of
    `declarations` or null, `suspense` what is held under its codes (empty where the roles do not show it), `events` the
    latest 200 of `customer_event_view` and `claims_events` of `claims_event_view`, newest first.
    """
    async with reads.reading(caller, "customers.read") as connection:
        customer = await _survivor(connection, code)
        if customer is None:
            return None
        own = customer["customer_code"]
        codes = await _codes(connection, customer)
        found: Row = {"asked": code, "customer": customer, "codes": codes}
        found["tiers"] = (await tiers_of(connection, [own])).get(own, [])
        found["movements"] = await fetch(connection, _MOVEMENTS, {"codes": codes})
        found["revenue"] = await fetch(connection, _REVENUE, {"codes": codes})
        found["agreements"] = customer.pop("agreement_history")
        found["counter_codes"] = customer["counter_codes"]
        found["events"] = await fetch(connection, _EVENTS, {"codes": codes, "most": EVENTS_MAX})
    subjects = {"codes": codes, "subjects": [*codes, *_by_credit_code(customer)], "uscc": customer["uscc"]}
    found |= {"windows": [], "plans": [], "claims_events": [], "declaration": None, "suspense": []}
    if permit(caller, "windows.read") is None:
        async with reads.reading(caller, "windows.read") as connection:
            found["windows"] = await fetch(connection, _WINDOWS, {"subjects": subjects["subjects"]})
    if permit(caller, "plans.read") is None:
        async with reads.reading(caller, "plans.read") as connection:
            found["plans"] = await fetch(
                connection,
                f"{PLANS} WHERE p.customer_code = ANY(:codes) OR (p.customer_code IS NULL AND p.uscc = :uscc) "
                "ORDER BY coalesce(p.submitted_at, p.as_of) DESC, p.plan_id",
                {"codes": codes, "uscc": customer["uscc"]},
            )
            found["claims_events"] = await fetch(
                connection,
                _CLAIMS_EVENTS,
                {"codes": codes, "subjects": subjects["subjects"], "most": EVENTS_MAX},
            )
    if permit(caller, "declarations.read") is None:
        async with reads.reading(caller, "declarations.read") as connection:
            declared = await fetch(
                connection,
                f"{DECLARATIONS} WHERE d.customer_code = ANY(:codes) ORDER BY d.customer_code = :own DESC, d.as_of DESC "
                "LIMIT 1",
                {"codes": codes, "own": own},
            )
            found["declaration"] = shown(declared[0], reads.now()) if declared else None
    if permit(caller, "suspense.read") is None:
        local = [one["code"] for one in customer["counter_codes"]]
        async with reads.reading(caller, "suspense.read") as connection:
            found["suspense"] = await fetch(
                connection, _SUSPENSE, {"codes": [*codes, *local], "most": SUSPENSE_MAX}
            )
    return found


async def _survivor(connection: AsyncConnection, code: str) -> Row | None:
    """The customer that a code means now. A caller may see the survivor and not the customer that was merged into it."""
    rows = await fetch(
        connection,
        f"{CUSTOMERS} WHERE c.customer_code = :code OR c.aliases @> ARRAY[CAST(:code AS text)] "
        "OR c.customer_code = (SELECT m.survivor FROM customer_view m WHERE m.customer_code = :code) "
        "ORDER BY c.status = 'merged', c.customer_code = :code DESC, c.customer_code LIMIT 1",
        {"code": code},
    )
    return with_kind(rows[0]) if rows else None


async def _codes(connection: AsyncConnection, customer: Row) -> list[str]:
    own = customer["customer_code"]
    merged = await fetch(
        connection,
        "SELECT customer_code FROM customer_view WHERE merged_into IS NOT NULL AND survivor = :own "
        "AND customer_code <> :own ORDER BY 1",
        {"own": own},
    )
    return list(dict.fromkeys((own, *customer["aliases"], *(row["customer_code"] for row in merged))))


def _by_credit_code(customer: Row) -> list[str]:
    """How claims names a prospect that had no code when its plan was filed."""
    return [] if customer["uscc"] is None else [f"uscc:{customer['uscc']}"]


_MOVEMENTS: Final = (
    "SELECT m.* FROM tier_movement_view m WHERE m.customer_code = ANY(:codes) "
    "ORDER BY m.decided_at, m.customer_code, m.scheme, m.version"
)
_REVENUE: Final = (
    "SELECT year, month, line, sum(amount_fen) AS amount_fen, sum(pieces) AS pieces, sum(transactions) AS transactions "
    "FROM revenue_view WHERE customer_code = ANY(:codes) GROUP BY year, month, line ORDER BY year, month, line"
)
_EVENTS: Final = (
    "SELECT * FROM customer_event_view WHERE customer_code = ANY(:codes) "
    "ORDER BY happened_at DESC, customer_version DESC, event_id DESC LIMIT :most"
)
_WINDOWS: Final = (
    "SELECT w.*, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en FROM window_view w "
    "LEFT JOIN unit_view u ON u.unit_code = w.unit_code WHERE w.window_key = ANY(:subjects) "
    "OR w.customer_code = ANY(:subjects) ORDER BY w.opens_at"
)
_CLAIMS_EVENTS: Final = (
    "SELECT * FROM claims_event_view WHERE subject = ANY(:subjects) OR customer_code = ANY(:codes) "
    "ORDER BY happened_at DESC, record_offset DESC LIMIT :most"
)
_SUSPENSE: Final = (
    "SELECT s.* FROM suspense_view s WHERE s.customer_code = ANY(:codes) OR s.booked_for = ANY(:codes) "
    "ORDER BY s.state <> 'held', s.held_at DESC LIMIT :most"
)
