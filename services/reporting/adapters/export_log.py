"""Who took which table away, with which filters, when (REP-15)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from shared.messaging.work import Work


async def note(work: Work, person: str, what: str, form: str, filters: Mapping[str, Any]) -> int:
    """Write an export down before its first byte leaves; its number."""
    raw = await work.raw()
    number: int = await raw.fetchval(
        "INSERT INTO export_log (person, what, format, filters, exported_at) "
        "VALUES ($1, $2, $3, $4::text::jsonb, $5) RETURNING id",
        person,
        what,
        form,
        orjson.dumps(dict(filters), default=str).decode(),
        work.now,
    )
    return number


async def note_rows(work: Work, number: int, rows: int) -> None:
    """How many rows it had; an export that was broken off keeps none."""
    raw = await work.raw()
    await raw.execute("UPDATE export_log SET rows = $2 WHERE id = $1", number, rows)
