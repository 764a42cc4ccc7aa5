"""Mappings of counter codes as they are read: over HTTP as the reader role, and by who has just changed one."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order
from shared.scope import reading

MAPPING: Final = """
    SELECT m.id, n.code, n.unit_code, n.counter_id, m.customer_code, m.valid_from, m.valid_to,
        isempty(m.period) AS taken_back, m.mapped_by, m.mapped_at, m.ended_by, m.ended_at, m.end_reason, m.version
    FROM counter_codes m JOIN counter_code_names n ON n.id = m.code_id
"""
COUNTER_CODES: Final = KeysetList(
    "counter_codes",
    "codes.read",
    MAPPING,
    orders={"mapped": Order((Column("m.id", "id", "bigint"),))},
    filters={
        "code": "n.code = :code",
        "customer": "m.customer_code = :customer",
        "unit": "n.unit_code = :unit",
        "counter": "n.counter_id = :counter",
    },
)
"""In the order in which they were mapped."""


async def mapping_in_scope(reader: AsyncEngine, caller: Principal, id: int) -> dict[str, Any] | None:
    """One mapping in scope."""
    async with reading(reader, caller, "codes.read") as connection:
        found = (await connection.execute(text(f"{MAPPING} WHERE m.id = :id"), {"id": id})).mappings()
        row = found.one_or_none()
    return None if row is None else dict(row)
