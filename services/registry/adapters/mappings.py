"""Mappings of counter codes as they are read: over HTTP as the reader role, and by who has just changed one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.auth.principals import Principal
from shared.messaging.work import Work
from shared.paging import Listing
from shared.scope import reading

_QUERY: Final = """
    SELECT m.id, n.code, n.unit_code, n.counter_id, m.customer_code, m.valid_from, m.valid_to, isempty(m.period) AS taken_back,
        m.mapped_by, m.mapped_at, m.ended_by, m.ended_at, m.end_reason, m.version
    FROM counter_codes m JOIN counter_code_names n ON n.id = m.code_id
"""
_WHERES: Final = {
    "code": "n.code = :code",
    "customer": "m.customer_code = :customer",
    "unit": "n.unit_code = :unit",
    "counter": "n.counter_id = :counter",
}


class CounterCodeReads:
    """What the routes of counter codes read."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def listed(
        self, caller: Principal, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page in the order of mapping. Filters: code, customer, unit, counter."""
        listing = Listing("counter_codes", filters)
        (after,) = listing.after(cursor, (0,))
        where = " AND ".join(["m.id > :after", *(_WHERES[name] for name in filters)])
        async with reading(self._reader, caller, "codes.read") as connection:
            found = await connection.execute(
                text(f"{_QUERY} WHERE {where} ORDER BY m.id LIMIT :limit"),
                {**filters, "after": after, "limit": limit + 1},
            )
            rows = [dict(row) for row in found.mappings()]
        return listing.page(rows, limit, lambda row: (row["id"],))

    async def one(self, caller: Principal, id: int) -> dict[str, Any] | None:
        """One mapping in scope."""
        async with reading(self._reader, caller, "codes.read") as connection:
            found = (await connection.execute(text(f"{_QUERY} WHERE m.id = :id"), {"id": id})).mappings()
            row = found.one_or_none()
        return None if row is None else dict(row)

    async def stored(self, work: Work, id: int) -> dict[str, Any]:
        """One mapping as this transaction has left it."""
        found = (await work.connection.execute(text(f"{_QUERY} WHERE m.id = :id"), {"id": id})).mappings()
        return dict(found.one())
