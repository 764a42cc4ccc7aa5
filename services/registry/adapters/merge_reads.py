"""Merges as they are read: each with its signatures and, until it is decided, what it would do as things stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.registry.adapters.customer_rows import Rows, connection_of, customers_of_codes
from services.registry.domain.merging import SIGNATURES, Effect, merge
from services.registry.handlers.merge_customers import effect_shown
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page
from shared.scope import reading

_MERGE: Final = """
    SELECT m.id, m.survivor, m.alias, m.reason, m.state, m.requested_by, m.requester_office, m.requested_at, m.decided_by,
        m.decided_at, m.decision_reason, m.version, m.effect::text AS effect, (
        SELECT coalesce(jsonb_agg(jsonb_build_object('person', s.person, 'office', s.office,
            'signed_at', s.signed_at, 'comment', s.comment) ORDER BY s.signed_at, s.person), '[]')
        FROM merge_signatures s WHERE s.merge_id = m.id
    )::text AS signatures FROM merges m
"""
_MERGES: Final = KeysetList(
    "merges",
    "merges.read",
    _MERGE,
    orders={"latest": Order((Column("m.id", "id", "bigint"),), descending=True)},
    filters={"state": "m.state = :state", "customer": ":customer IN (m.survivor, m.alias)"},
)


async def merges_in_scope(
    reader: AsyncEngine, caller: Principal, asked: Mapping[str, Any], cursor: str | None, limit: int
) -> Page:
    """A page, the latest first, without previews. Filters: state, customer (on either side)."""
    page = await _MERGES.read(reader, caller, asked, cursor, limit)
    return Page([_members(row) for row in page.items], page.next_cursor)


async def merge_in_scope(reader: AsyncEngine, caller: Principal, id: int) -> dict[str, Any] | None:
    """One merge whose customers both lie in scope."""
    async with reading(reader, caller, "merges.read") as connection:
        return await merge_of(await connection_of(connection), id)


async def merge_of(store: Rows, id: int) -> dict[str, Any] | None:
    """One merge with its preview or what stands against it."""
    rows = await store.fetch(f"{_MERGE} WHERE m.id = $1", id)
    if not rows:
        return None
    found = _members(rows[0])
    if found["state"] == "merged":
        found["preview"] = orjson.loads(rows[0]["effect"])
    elif found["state"] == "proposed":
        await _foresee(store, found)
    return found


async def _foresee(store: Rows, found: dict[str, Any]) -> None:
    """What the merge would do now, or the refusal that stands against it."""
    both = await customers_of_codes(store, [found["survivor"], found["alias"]])
    survivor, alias = both[found["survivor"]], both[found["alias"]]
    for each in (survivor, alias):
        if each.status != "active":
            found["obstacle"] = f"{each.code} is {each.status}"
            return
    effect = merge(survivor, alias)
    if isinstance(effect, Effect):
        found["preview"] = effect_shown((survivor, alias), effect)
    else:
        found["obstacle"] = "agreements_clash"


def _members(row: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a merge as it is listed."""
    signatures = orjson.loads(row["signatures"])
    missing = SIGNATURES - len(signatures) if row["state"] == "proposed" else 0
    plain = {name: value for name, value in row.items() if name not in ("effect", "signatures")}
    return {
        **plain,
        "signatures": signatures,
        "signatures_missing": missing,
        "preview": None,
        "obstacle": None,
    }
