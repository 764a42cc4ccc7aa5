"""Declarations with what is left of the running time limit (REP-10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.adapters.reads.rows import (
    FIRST_INSTANT,
    LAST_INSTANT,
    Page,
    Row,
    fetch,
    fetch_one,
    folded,
    given,
    has_part,
    instant,
    under_unit,
    where,
)
from shared.auth.principals import Principal
from shared.paging import Listing
from shared.scope import reading


@dataclass(frozen=True, slots=True)
class DeclarationFilter:
    """What a list of declarations is narrowed to. `waiting_for` is `declarer`, `pre_review` or `centre`; `standing` is
    `open`, `due_soon` (warned or to be warned by now), `breached` or `decided`; `mine` means declared by the caller; `q`
    is a part of the name or the credit code."""

    state: str | None = None
    unit: str | None = None
    waiting_for: str | None = None
    standing: str | None = None
    mine: bool | None = None
    q: str | None = None


_STANDING: Final = {
    "open": "d.waiting_for IS NOT NULL",
    "due_soon": "d.waiting_for IS NOT NULL AND d.warn_at <= :now AND d.due_at > :now",
    "breached": "d.waiting_for IS NOT NULL AND d.due_at <= :now",
    "decided": "d.decided_at IS NOT NULL",
}
_CONDITIONS: Final = {
    "state": "d.state = :state",
    "unit": under_unit("d"),
    "waiting_for": "d.waiting_for = :waiting_for",
    "q": f"({has_part('d.name')} OR d.uscc = upper({folded('CAST(:q AS text)')}))",
}
DECLARATIONS: Final = (
    "SELECT d.*, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en, "
    "CASE WHEN d.waiting_for IS NOT NULL THEN round(extract(epoch FROM d.due_at - :now) / 360) / 10.0 END AS left_ "
    "FROM declaration_view d LEFT JOIN unit_view u ON u.unit_code = d.unit_code"
)


async def declarations(
    reader: AsyncEngine,
    caller: Principal,
    now: datetime,
    asked: DeclarationFilter,
    cursor: str | None,
    limit: int,
) -> Page:
    """The most urgent first, those without a running limit after them, the latest submitted first. Each row: the columns
    of `declaration_view`, `unit_name_zh`, `unit_name_en`, and `hours_left` (one decimal, negative when overdue, null where
    no limit runs)."""
    values = given(asked)
    listing = Listing("declarations", values)
    after = listing.after(cursor, ("", "", ""))
    conditions = [_CONDITIONS[name] for name in values if name in _CONDITIONS]
    standing, mine = values.pop("standing", None), values.pop("mine", None)
    if standing is not None:
        conditions.append(_STANDING.get(standing, "false"))
    if mine:
        conditions.append("d.declarer = :caller")
        values["caller"] = caller.user
    due = f"coalesce(CASE WHEN d.waiting_for IS NOT NULL THEN d.due_at END, timestamptz '{LAST_INSTANT}')"
    submitted = f"coalesce(d.submitted_at, timestamptz '{FIRST_INSTANT}')"
    if cursor is not None:
        conditions.append(
            f"({due} > :due OR ({due} = :due AND ({submitted}, d.declaration_id) < (:submitted, :declaration)))"
        )
        values |= {"due": instant(after[0]), "submitted": instant(after[1]), "declaration": after[2]}
    async with reading(reader, caller, "declarations.read") as connection:
        rows = await fetch(
            connection,
            f"{DECLARATIONS} WHERE {where(conditions)} ORDER BY {due}, {submitted} DESC, d.declaration_id DESC "
            "LIMIT :limit",
            {**values, "now": now, "limit": limit + 1},
        )
    return listing.page([shown(row) for row in rows], limit, _key)


def shown(row: Row) -> Row:
    """The row with `hours_left` as a float."""
    left = row.pop("left_")
    return {**row, "hours_left": None if left is None else float(left)}


def _key(row: Row) -> tuple[str, str, str]:
    due = row["due_at"] if row["waiting_for"] is not None else None
    return _printed(due, LAST_INSTANT), _printed(row["submitted_at"], FIRST_INSTANT), row["declaration_id"]


def _printed(at: Any, otherwise: str) -> str:
    return otherwise if at is None else str(at.isoformat())


async def declaration(
    reader: AsyncEngine, caller: Principal, now: datetime, declaration_id: str
) -> Row | None:
    """One row of `declarations`, or None where the caller sees none of this id."""
    async with reading(reader, caller, "declarations.read") as connection:
        rows = await fetch(
            connection,
            f"{DECLARATIONS} WHERE d.declaration_id = :declaration_id",
            {"declaration_id": declaration_id, "now": now},
        )
    return shown(rows[0]) if rows else None


async def declaration_counts(reader: AsyncEngine, caller: Principal, now: datetime) -> Row:
    """`{open, due_soon, breached, decided, decided_in_time, median_seconds}`; open ones are those that somebody has to act
    on; a decided one was in time if the centre's limit had not ended before."""
    async with reading(reader, caller, "declarations.read") as connection:
        return await fetch_one(
            connection,
            f"SELECT count(*) FILTER (WHERE {_STANDING['open']} AND d.state <> 'draft') AS open, "
            f"count(*) FILTER (WHERE {_STANDING['due_soon']}) AS due_soon, "
            f"count(*) FILTER (WHERE {_STANDING['breached']}) AS breached, "
            f"count(*) FILTER (WHERE {_STANDING['decided']}) AS decided, "
            f"count(*) FILTER (WHERE {_STANDING['decided']} AND d.breached_at IS NULL) AS decided_in_time, "
            "CAST(percentile_disc(0.5) WITHIN GROUP (ORDER BY d.decision_seconds) AS bigint) AS median_seconds "
            "FROM declaration_view d",
            {"now": now},
        )
