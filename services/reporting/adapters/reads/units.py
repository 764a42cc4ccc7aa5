"""Units by name: the organisation is published inside, so that everybody can say who holds what."""

from __future__ import annotations

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import Row, fetch
from shared.auth.principals import Principal


async def units(reads: Reads, caller: Principal) -> list[Row]:
    """`[{unit_code, name_zh, name_en, level, unit_path}]` of every unit, by its place in the tree."""
    async with reads.reading(caller, "units.read") as connection:
        return await fetch(
            connection,
            "SELECT unit_code, name_zh, name_en, level, unit_path FROM unit_view ORDER BY unit_path",
        )
