"""How far the views have come (REP-2)."""

from __future__ import annotations

from datetime import datetime

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import Row, fetch, fetch_one
from shared.auth.principals import Principal


async def freshness(reads: Reads, caller: Principal) -> list[Row]:
    """How far each view has come in each partition: view, topic, partition, offset, event_time."""
    async with reads.reading(caller, "customers.read") as connection:
        return await fetch(
            connection,
            'SELECT view, topic, partition, offset_reached AS "offset", event_time FROM view_freshness '
            "ORDER BY view, topic, partition",
        )


async def latest_event(reads: Reads, caller: Principal) -> datetime | None:
    """The latest event time that any view reflects, None before the first event."""
    async with reads.reading(caller, "customers.read") as connection:
        row = await fetch_one(connection, "SELECT max(event_time) AS at FROM view_freshness")
    found: datetime | None = row["at"]
    return found
