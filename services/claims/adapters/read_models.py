"""Reads over HTTP: as the reader role, under row-level security."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.auth.principals import Principal
from shared.paging import Listing
from shared.scope import reading

_CUSTOMERS: Final = """
SELECT customer_code, version, name, kind, status, merged_into, unit_code, unit_path, as_of,
    jsonb_path_query_array(agreements, '$[*] ? (@.state == "in_force")') AS agreements
FROM customers c
WHERE customer_code > :after AND (CAST(:unit AS text) IS NULL
    OR right(c.unit_path, length(:unit) + 1) = '/' || :unit
    OR starts_with(c.unit_path || '/', (SELECT u.unit_path || '/' FROM units u WHERE u.unit_code = :unit)))
ORDER BY customer_code LIMIT :limit
"""


class ReadModels:
    """Everything that the routes read."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def customers(
        self, caller: Principal, unit: str | None, cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of customers by code with their agreements in force, and the cursor of the next page."""
        listing = Listing("customers", {"unit": unit})
        (after,) = listing.after(cursor, ("",))
        async with reading(self._reader, caller, "customers.read") as connection:
            found = await connection.execute(
                text(_CUSTOMERS), {"after": after, "unit": unit, "limit": limit + 1}
            )
            rows = [dict(row) for row in found.mappings()]
        return listing.page(rows, limit, lambda row: (row["customer_code"],))
