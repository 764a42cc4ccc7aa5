"""Units and customers in PostgreSQL: one statement for each kind of state, with arrays, however large the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from shared.contracts.registry_v1 import CustomerState, UnitState
from shared.messaging.states import StateRecord
from shared.messaging.work import Work

_UNITS: Final = """
INSERT INTO units AS v (unit_code, version, name_zh, name_en, level, parent, unit_path, lines, division, valid_from,
    valid_to, state_offset)
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

# Sorted, so that two processes never lock the rows in opposite orders.
_CUSTOMERS: Final = """
INSERT INTO customers AS v (customer_code, version, name, uscc, kind, status, merged_into, unit_code, unit_path,
    division, upstream_granted_by_province, manager_a, manager_b, registered_at, agreements, as_of)
SELECT customer_code, version, name, uscc, kind, status, merged_into, unit_code, unit_path, division,
    upstream_granted_by_province, manager_a, manager_b, registered_at, agreements::jsonb, as_of
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::boolean[], $12::text[], $13::text[], $14::timestamptz[], $15::text[],
    $16::timestamptz[])
    AS t(customer_code, version, name, uscc, kind, status, merged_into, unit_code, unit_path, division,
    upstream_granted_by_province, manager_a, manager_b, registered_at, agreements, as_of)
ORDER BY customer_code
ON CONFLICT (customer_code) DO UPDATE SET (version, name, uscc, kind, status, merged_into, unit_code, unit_path,
    division, upstream_granted_by_province, manager_a, manager_b, registered_at, agreements, as_of)
    = (excluded.version, excluded.name, excluded.uscc, excluded.kind, excluded.status, excluded.merged_into,
    excluded.unit_code, excluded.unit_path, excluded.division, excluded.upstream_granted_by_province,
    excluded.manager_a, excluded.manager_b, excluded.registered_at, excluded.agreements, excluded.as_of)
WHERE v.version < excluded.version
"""


class PostgresKnown:
    """The store of one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def keep_units(self, told: Sequence[StateRecord[UnitState]]) -> None:
        await self._keep(_UNITS, [_unit(one) for one in told])

    async def keep_customers(self, told: Sequence[StateRecord[CustomerState]]) -> None:
        await self._keep(_CUSTOMERS, [_customer(one.state) for one in told])

    async def _keep(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            await self._work.execute(statement, *(list(column) for column in zip(*rows, strict=True)))


def _unit(told: StateRecord[UnitState]) -> tuple[Any, ...]:
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
        customer.upstream_granted_by_province,
        customer.manager_a,
        customer.manager_b,
        customer.registered_at,
        orjson.dumps([each.model_dump(mode="json") for each in customer.agreements]).decode(),
        customer.as_of,
    )
