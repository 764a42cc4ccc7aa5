"""Mappings of counter codes in PostgreSQL; that a code never means two customers on one day within a scope is its
exclusion constraint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.registry.adapters.mappings import MAPPING
from services.registry.domain.codes import CodeScheme, slot_of
from services.registry.domain.counter_codes import CodeMapping
from shared.messaging.work import Work

_COLUMNS = "m.id, n.code, m.customer_code, m.valid_from, m.valid_to, m.version, n.unit_code, n.counter_id"
_FROM = "counter_codes m JOIN counter_code_names n ON n.id = m.code_id"


class PostgresCounterCodes:
    """`ports.CounterCodes` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def registered(self, code: str) -> bool:
        return bool(
            await self._work.fetchval("SELECT EXISTS (SELECT 1 FROM customers WHERE code = $1)", code)
        )

    async def of_code(self, code: str) -> list[CodeMapping]:
        rows = await self._work.fetch(f"SELECT {_COLUMNS} FROM {_FROM} WHERE n.code = $1 ORDER BY m.id", code)
        return [CodeMapping(*row) for row in rows]

    async def one(self, id: int) -> CodeMapping | None:
        row = await self._work.fetchrow(f"SELECT {_COLUMNS} FROM {_FROM} WHERE m.id = $1", id)
        return None if row is None else CodeMapping(*row)

    async def add(self, mapping: CodeMapping, person: str, issuing: CodeScheme) -> CodeMapping | None:
        await self._work.execute(
            "INSERT INTO counter_code_names (code, unit_code, counter_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            mapping.code,
            *mapping.scope,
        )
        # A violation of the exclusion would poison the transaction; this way it is an answer.
        row = await self._work.fetchrow(
            """
            INSERT INTO counter_codes (code_id, customer_code, valid_from, valid_to, mapped_by, mapped_at, version)
            SELECT id, $2, $3, $4, $5, $6, 1 FROM counter_code_names
            WHERE code = $1 AND unit_code IS NOT DISTINCT FROM $7 AND counter_id IS NOT DISTINCT FROM $8
            ON CONFLICT DO NOTHING RETURNING id
            """,
            mapping.code,
            mapping.customer_code,
            mapping.valid_from,
            mapping.valid_to,
            person,
            self._work.now,
            *mapping.scope,
        )
        if row is None:
            return None
        await self._skip_serial(mapping.code, issuing)
        return replace(mapping, id=row["id"])

    async def _skip_serial(self, code: str, issuing: CodeScheme) -> None:
        """A counter's code that has the form of one of ours must never be issued to a customer."""
        slot = slot_of(issuing, code)
        if slot is None:
            return
        await self._work.execute(
            """
            INSERT INTO code_skips (scheme, division, serial, reason, code, recorded_at)
            SELECT $1, $2, $3, 'mapped_code', $4, $5 WHERE $3 > coalesce(
                (SELECT last_serial FROM code_ranges WHERE scheme = $1 AND division = $2), 0)
            ON CONFLICT DO NOTHING
            """,
            issuing.id,
            slot[0],
            slot[1],
            code,
            self._work.now,
        )

    async def end(self, mapping: CodeMapping, person: str, reason: str) -> None:
        await self._work.execute(
            "UPDATE counter_codes SET valid_to = $2, version = $3, ended_by = $4, ended_at = $5, end_reason = $6"
            " WHERE id = $1",
            mapping.id,
            mapping.valid_to,
            mapping.version,
            person,
            self._work.now,
            reason,
        )

    async def move(self, alias: str, survivor: str) -> None:
        await self._work.execute(
            "UPDATE counter_codes SET customer_code = $2, version = version + 1 WHERE customer_code = $1",
            alias,
            survivor,
        )

    async def record(self, id: int) -> Mapping[str, Any]:
        (row,) = await self._work.fetch(f"{MAPPING} WHERE m.id = $1", id)
        return dict(row)
