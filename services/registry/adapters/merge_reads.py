"""Merges as they are read: each with its signatures and, until it is decided, what it would do as things stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.registry.adapters.customer_rows import customers_of_codes
from services.registry.domain.merging import SIGNATURES, Effect, merge
from services.registry.handlers.merge_customers import told
from shared.auth.principals import Principal
from shared.messaging.work import Work
from shared.paging import Listing
from shared.scope import reading

_QUERY: Final = """
    SELECT m.*, m.effect::text AS effect_text, (
        SELECT coalesce(jsonb_agg(jsonb_build_object('person', s.person, 'office', s.office,
            'signed_at', s.signed_at, 'comment', s.comment) ORDER BY s.signed_at, s.person), '[]')
        FROM merge_signatures s WHERE s.merge_id = m.id
    )::text AS signatures FROM merges m
"""


class MergeReads:
    """What the routes of merges read."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def listed(
        self, caller: Principal, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page, the latest first, without previews. Filters: state, customer (on either side)."""
        listing = Listing("merges", filters)
        (before,) = listing.after(cursor, (2**63 - 1,))
        async with reading(self._reader, caller, "merges.read") as connection:
            rows = await (await _raw(connection)).fetch(
                f"""
                {_QUERY} WHERE m.id < $1 AND ($2::text IS NULL OR m.state = $2)
                    AND ($3::text IS NULL OR $3 IN (m.survivor, m.alias)) ORDER BY m.id DESC LIMIT $4
                """,
                before,
                filters.get("state"),
                filters.get("customer"),
                limit + 1,
            )
        shown, following = listing.page(rows, limit, lambda row: (row["id"],))
        return [_members(row) for row in shown], following

    async def one(self, caller: Principal, id: int) -> dict[str, Any] | None:
        """One merge whose customers both lie in scope."""
        async with reading(self._reader, caller, "merges.read") as connection:
            return await _one(await _raw(connection), id)

    async def stored(self, work: Work, id: int) -> dict[str, Any] | None:
        """One merge as this transaction has left it."""
        return await _one(await work.raw(), id)


async def _raw(connection: AsyncConnection) -> asyncpg.Connection:
    raw: Any = (await connection.get_raw_connection()).driver_connection
    return raw


async def _one(raw: asyncpg.Connection, id: int) -> dict[str, Any] | None:
    row = await raw.fetchrow(f"{_QUERY} WHERE m.id = $1", id)
    if row is None:
        return None
    found = _members(row)
    if row["state"] == "merged":
        found["preview"] = orjson.loads(row["effect_text"])
    elif row["state"] == "proposed":
        await _foresee(raw, found)
    return found


async def _foresee(raw: asyncpg.Connection, found: dict[str, Any]) -> None:
    """What the merge would do now, or the refusal that stands against it."""
    both = await customers_of_codes(raw, [found["survivor"], found["alias"]])
    survivor, alias = both[found["survivor"]], both[found["alias"]]
    for each in (survivor, alias):
        if each.status != "active":
            found["obstacle"] = f"{each.code} is {each.status}"
            return
    effect = merge(survivor, alias)
    if isinstance(effect, Effect):
        found["preview"] = told((survivor, alias), effect)
    else:
        found["obstacle"] = "agreements_clash"


def _members(row: Any) -> dict[str, Any]:
    signatures = orjson.loads(row["signatures"])
    names = (
        "id survivor alias reason state requested_by requester_office requested_at decided_by decided_at"
        " decision_reason version"
    )
    missing = SIGNATURES - len(signatures) if row["state"] == "proposed" else 0
    return {
        **{name: row[name] for name in names.split()},
        "signatures": signatures,
        "signatures_missing": missing,
        "preview": None,
        "obstacle": None,
    }
