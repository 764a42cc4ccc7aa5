"""The views in PostgreSQL: one statement for each kind of state, with arrays, however large the batch.

Money is fen. `total_fen` is numeric, because a printed figure may have more digits than eight bytes hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from services.reporting.domain.freshness import Freshness
from shared.contracts.registry_v1 import CustomerState, UnitState
from shared.contracts.tiering_v1 import TierChanged, TierState
from shared.messaging.states import Told
from shared.messaging.work import Work

VIEWS_LOCK: Final = 7_305_101

_UNITS: Final = """
INSERT INTO unit_view AS v (unit_code, version, name_zh, name_en, level, parent, unit_path, lines, division,
    valid_from, valid_to, state_offset)
SELECT unit_code, version, name_zh, name_en, level, parent, unit_path, string_to_array(lines, ','), division,
    valid_from, valid_to, state_offset
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::date[], $11::date[], $12::bigint[])
    AS t(unit_code, version, name_zh, name_en, level, parent, unit_path, lines, division, valid_from, valid_to,
    state_offset)
ORDER BY unit_code
ON CONFLICT (unit_code) DO UPDATE SET (version, name_zh, name_en, level, parent, unit_path, lines, division,
    valid_from, valid_to, state_offset) = (excluded.version, excluded.name_zh, excluded.name_en, excluded.level,
    excluded.parent, excluded.unit_path, excluded.lines, excluded.division, excluded.valid_from, excluded.valid_to,
    excluded.state_offset)
WHERE (v.version, v.state_offset) < (excluded.version, excluded.state_offset)
"""

# Tiers and movements that came before their customer, or whose customer has moved, follow in the same statement.
_CUSTOMERS: Final = """
WITH stored AS (
    INSERT INTO customer_view AS v (customer_code, version, name, uscc, kind, status, merged_into, unit_code,
        unit_path, division, industry, manager_a, manager_b, registered_at, agreements, agreements_in_force, as_of)
    SELECT customer_code, version, name, uscc, kind, status, merged_into, unit_code, unit_path, division, industry,
        manager_a, manager_b, registered_at, agreements::jsonb, jsonb_array_length(agreements::jsonb), as_of
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::text[],
        $16::timestamptz[])
        AS t(customer_code, version, name, uscc, kind, status, merged_into, unit_code, unit_path, division, industry,
        manager_a, manager_b, registered_at, agreements, as_of)
    ORDER BY customer_code
    ON CONFLICT (customer_code) DO UPDATE SET (version, name, uscc, kind, status, merged_into, unit_code, unit_path,
        division, industry, manager_a, manager_b, registered_at, agreements, agreements_in_force, as_of)
        = (excluded.version, excluded.name, excluded.uscc, excluded.kind, excluded.status, excluded.merged_into,
        excluded.unit_code, excluded.unit_path, excluded.division, excluded.industry, excluded.manager_a,
        excluded.manager_b, excluded.registered_at, excluded.agreements, excluded.agreements_in_force, excluded.as_of)
    WHERE v.version < excluded.version
    RETURNING v.customer_code, v.unit_path, v.manager_a, v.manager_b
), tiers AS (
    UPDATE tier_view t SET unit_path = s.unit_path, manager_a = s.manager_a, manager_b = s.manager_b
    FROM stored s WHERE t.customer_code = s.customer_code
        AND (t.unit_path, t.manager_a, t.manager_b) IS DISTINCT FROM (s.unit_path, s.manager_a, s.manager_b)
)
UPDATE tier_movement_view m SET unit_path = s.unit_path, manager_a = s.manager_a, manager_b = s.manager_b
FROM stored s WHERE m.customer_code = s.customer_code
    AND (m.unit_path, m.manager_a, m.manager_b) IS DISTINCT FROM (s.unit_path, s.manager_a, s.manager_b)
"""

_TIERS: Final = """
INSERT INTO tier_view AS v (customer_code, scheme, scheme_version, version, tier, effective_on, period, total_fen,
    key_account, as_of, state_offset, unit_path, manager_a, manager_b)
SELECT t.*, c.unit_path, c.manager_a, c.manager_b
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::date[], $7::text[], $8::numeric[],
    $9::boolean[], $10::timestamptz[], $11::bigint[])
    AS t(customer_code, scheme, scheme_version, version, tier, effective_on, period, total_fen, key_account, as_of,
    state_offset)
LEFT JOIN customer_view c ON c.customer_code = t.customer_code
ORDER BY t.customer_code, t.scheme
ON CONFLICT (customer_code, scheme) DO UPDATE SET (scheme_version, version, tier, effective_on, period, total_fen,
    key_account, as_of, state_offset) = (excluded.scheme_version, excluded.version, excluded.tier,
    excluded.effective_on, excluded.period, excluded.total_fen, excluded.key_account, excluded.as_of,
    excluded.state_offset)
WHERE (v.version, v.state_offset) < (excluded.version, excluded.state_offset)
"""

_MOVEMENTS: Final = """
INSERT INTO tier_movement_view (customer_code, scheme, version, scheme_version, from_tier, to_tier, direction, reason,
    effective_on, period, total_fen, key_account, decided_at, caused_by_source, caused_by_id, unit_path, manager_a,
    manager_b)
SELECT t.*, c.unit_path, c.manager_a, c.manager_b
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::date[], $10::text[], $11::numeric[], $12::boolean[], $13::timestamptz[], $14::text[], $15::text[])
    AS t(customer_code, scheme, version, scheme_version, from_tier, to_tier, direction, reason, effective_on, period,
    total_fen, key_account, decided_at, caused_by_source, caused_by_id)
LEFT JOIN customer_view c ON c.customer_code = t.customer_code
ORDER BY t.customer_code, t.scheme, t.version
ON CONFLICT (customer_code, scheme, version) DO NOTHING
"""

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

    async def open(self) -> None:
        # Two processes at once could each miss what the other is storing: a tier whose customer is just arriving would
        # never learn its unit. Views are written in one line; every statement after this one sees what came before.
        await self._run("SELECT pg_advisory_xact_lock($1)", VIEWS_LOCK)

    async def keep_units(self, told: Sequence[Told[UnitState]]) -> None:
        await self._keep(_UNITS, [_unit(one) for one in told])

    async def keep_customers(self, told: Sequence[Told[CustomerState]]) -> None:
        await self._keep(_CUSTOMERS, [_customer(one.state) for one in told])

    async def keep_tiers(self, told: Sequence[Told[TierState]]) -> None:
        await self._keep(_TIERS, [_tier(one) for one in told])

    async def keep_movements(self, told: Sequence[Told[TierChanged]]) -> None:
        await self._keep(_MOVEMENTS, [_movement(one.state) for one in told])

    async def keep_freshness(self, reached: Sequence[Freshness]) -> None:
        rows = [(one.view, one.topic, one.partition, one.offset, one.event_at) for one in reached]
        await self._keep(_FRESHNESS, rows)

    async def _keep(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await self._run(statement, *(list(column) for column in zip(*rows, strict=True)))

    async def _run(self, statement: str, *values: Any) -> None:
        raw = await self._work.raw()
        await raw.execute(statement, *values)


def _unit(told: Told[UnitState]) -> tuple[Any, ...]:
    unit = told.state
    return (
        unit.unit_code,
        unit.version,
        unit.name_zh,
        unit.name_en,
        unit.level,
        unit.parent,
        unit.path.rstrip("/"),
        ",".join(unit.lines),
        unit.division,
        unit.valid_from,
        unit.valid_to,
        told.record.offset,
    )


def _customer(customer: CustomerState) -> tuple[Any, ...]:
    in_force = [
        each.model_dump(mode="json", include={"agreement_no", "signed_on", "ends_on", "lines"})
        for each in customer.agreements
        if each.state == "in_force"
    ]
    return (
        customer.customer_code,
        customer.version,
        customer.name,
        customer.uscc,
        customer.kind,
        customer.status,
        customer.merged_into,
        customer.unit_code,
        customer.unit_path.rstrip("/"),
        customer.division,
        customer.industry,
        customer.manager_a,
        customer.manager_b,
        customer.registered_at,
        orjson.dumps(in_force).decode(),
        customer.as_of,
    )


def _tier(told: Told[TierState]) -> tuple[Any, ...]:
    tier = told.state
    return (
        tier.customer_code,
        tier.scheme,
        tier.scheme_version,
        tier.version,
        tier.tier,
        tier.effective_on,
        tier.period,
        Decimal(tier.total_fen),
        tier.key_account,
        tier.as_of,
        told.record.offset,
    )


def _movement(change: TierChanged) -> tuple[Any, ...]:
    cause = change.caused_by
    return (
        change.customer_code,
        change.scheme,
        change.version,
        change.scheme_version,
        change.from_tier,
        change.to_tier,
        change.direction,
        change.reason,
        change.effective_on,
        change.period,
        Decimal(change.total_fen),
        change.key_account,
        change.decided_at,
        None if cause is None else cause.source,
        None if cause is None else cause.id,
    )
