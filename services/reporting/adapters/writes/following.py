"""Rows follow what they belong to: their customer, the survivor of a merge, their plan, their unit, whichever comes last.

Topics have no order among each other, so a row may come before what decides who sees it. Each statement here sets unit and
managers of the rows that a batch may have touched to what the views say now; what was right already is not written.
"""

from __future__ import annotations

from typing import Final

from services.reporting.adapters.writes.tables import belonging

AFFECTED: Final = """
WITH RECURSIVE affected(code) AS (
    SELECT unnest($1::text[])
    UNION
    SELECT m.customer_code FROM customer_view m JOIN affected a ON m.merged_into = a.code
)
SELECT code FROM affected
"""
"""These customers and all that were merged into them, over any number of steps."""

# A chain of merges ends at the last customer that is known; in a circle, which nobody should tell, each stays itself.
SURVIVORS: Final = """
WITH RECURSIVE chain(code, at) AS (
    SELECT code, code FROM unnest($1::text[]) AS t(code)
    UNION
    SELECT h.code, n.customer_code FROM chain h JOIN customer_view c ON c.customer_code = h.at
        JOIN customer_view n ON n.customer_code = c.merged_into
), ended AS (
    SELECT h.code, h.at FROM chain h JOIN customer_view c ON c.customer_code = h.at
        LEFT JOIN customer_view n ON n.customer_code = c.merged_into WHERE n.customer_code IS NULL
)
UPDATE customer_view v SET survivor = coalesce(e.at, v.customer_code)
FROM unnest($1::text[]) AS t(code) LEFT JOIN ended e ON e.code = t.code
WHERE v.customer_code = t.code AND v.survivor <> coalesce(e.at, v.customer_code)
"""

_OF_CUSTOMERS: Final = ("tier_view", "tier_movement_view", "revenue_view", "customer_event_view")


def _followers(table: str) -> str:
    return (
        f"UPDATE {table} r SET unit_path = o.unit_path, manager_a = o.manager_a, manager_b = o.manager_b "
        "FROM owners o WHERE r.customer_code = o.code AND "
        "(r.unit_path, r.manager_a, r.manager_b) IS DISTINCT FROM (o.unit_path, o.manager_a, o.manager_b)"
    )


FOLLOWERS: Final = (
    "WITH owners AS MATERIALIZED (SELECT t.code, s.unit_path, s.manager_a, s.manager_b FROM unnest($1::text[]) AS t(code) "
    "JOIN customer_view c ON c.customer_code = t.code JOIN customer_view s ON s.customer_code = c.survivor), "
    + ", ".join(f"of_{table} AS ({_followers(table)})" for table in _OF_CUSTOMERS[1:])
    + f" {_followers(_OF_CUSTOMERS[0])}"
)
"""What belongs to these customers goes where they are."""

# The counter's unit where its id is a unit's code, else the customer's, else the root (`/`).
HELD: Final = f"""
WITH due AS (
    SELECT x.item, coalesce(u.unit_path, s.unit_path, '/') AS unit_path, s.manager_a, s.manager_b
    FROM (SELECT item, counter_id, coalesce(booked_for, customer_code) AS meant FROM suspense_view
        WHERE item = ANY($1::uuid[]) OR counter_id = ANY($2::text[]) OR customer_code = ANY($3::text[])
            OR booked_for = ANY($3::text[])) x
    LEFT JOIN unit_view u ON u.unit_code = x.counter_id
    {belonging("x", "meant")}
)
UPDATE suspense_view r SET unit_path = d.unit_path, manager_a = d.manager_a, manager_b = d.manager_b
FROM due d WHERE r.item = d.item
    AND (r.unit_path, r.manager_a, r.manager_b) IS DISTINCT FROM (d.unit_path, d.manager_a, d.manager_b)
"""

# An event of a plan is seen by those who see the plan; without a plan it is its unit's, else its customer's.
CLAIMED: Final = f"""
WITH due AS (
    SELECT x.event_id, coalesce(p.unit_path, u.unit_path, s.unit_path) AS unit_path,
        CASE WHEN p.plan_id IS NOT NULL THEN p.manager_a WHEN u.unit_code IS NULL THEN s.manager_a END AS manager_a,
        CASE WHEN p.plan_id IS NOT NULL THEN p.manager_b WHEN u.unit_code IS NULL THEN s.manager_b END AS manager_b
    FROM (SELECT event_id, plan_id, unit_code, customer_code FROM claims_event_view
        WHERE event_id = ANY($1::text[]) OR plan_id = ANY($2::text[]) OR unit_code = ANY($3::text[])
            OR customer_code = ANY($4::text[])) x
    LEFT JOIN plan_view p ON p.plan_id = x.plan_id
    LEFT JOIN unit_view u ON u.unit_code = x.unit_code
    {belonging("x", "customer_code")}
)
UPDATE claims_event_view r SET unit_path = d.unit_path, manager_a = d.manager_a, manager_b = d.manager_b
FROM due d WHERE r.event_id = d.event_id
    AND (r.unit_path, r.manager_a, r.manager_b) IS DISTINCT FROM (d.unit_path, d.manager_a, d.manager_b)
"""

ALERTED: Final = """
UPDATE alert_view r SET unit_path = u.unit_path FROM unit_view u
WHERE u.unit_code = r.unit_code AND (r.event_id = ANY($1::text[]) OR r.unit_code = ANY($2::text[]))
    AND r.unit_path IS DISTINCT FROM u.unit_path
"""
