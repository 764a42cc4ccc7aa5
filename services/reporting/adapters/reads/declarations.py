"""Declarations with what is left of the running time limit (REP-10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import (
    Row,
    fetch,
    fetch_one,
    folded,
    given,
    has_part,
    in_unit,
    one_of,
    or_first,
    or_last,
    without_keys,
)
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page


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
DECLARATIONS: Final = (
    "SELECT d.*, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en "
    "FROM declaration_view d LEFT JOIN unit_view u ON u.unit_code = d.unit_code"
)
"""Rows for `shown`."""

_DUE: Final = or_last("CASE WHEN d.waiting_for IS NOT NULL THEN d.due_at END")
_URGENCY: Final = f"CAST(-1000000 * extract(epoch FROM {_DUE}) AS bigint)"
"""All columns of an order go one way: the sooner it is due, the greater."""
_SUBMITTED: Final = or_first("d.submitted_at")
_LIST: Final = KeysetList(
    "declarations",
    "declarations.read",
    DECLARATIONS.replace(
        " FROM declaration_view",
        f", {_URGENCY} AS sort_urgency, {_SUBMITTED} AS sort_submitted FROM declaration_view",
    ),
    orders={
        "urgency": Order(
            (
                Column(_URGENCY, "sort_urgency", "bigint"),
                Column(_SUBMITTED, "sort_submitted", "timestamptz"),
                Column("d.declaration_id", "declaration_id"),
            ),
            descending=True,
        )
    },
    filters={
        "state": "d.state = :state",
        "unit": in_unit("d"),
        "waiting_for": "d.waiting_for = :waiting_for",
        "standing": one_of("standing", _STANDING),
        "mine": "d.declarer = :mine",
        "q": f"({has_part('d.name')} OR d.uscc = upper({folded('CAST(:q AS text)')}))",
    },
)


async def declarations(
    reads: Reads, caller: Principal, asked: DeclarationFilter, cursor: str | None, limit: int
) -> Page:
    """The most urgent first, those without a running limit after them, the latest submitted first. Each row: the columns
    of `declaration_view`, `unit_name_zh`, `unit_name_en`, and `hours_left` (one decimal, negative when overdue, null where
    no limit runs)."""
    now = reads.now()
    narrowed = {**given(asked), "mine": caller.user if asked.mine else None}
    found = without_keys(await _LIST.read(reads.reader, caller, narrowed, cursor, limit, given={"now": now}))
    return Page([shown(row, now) for row in found.items], found.next_cursor)


def shown(row: Row, now: datetime) -> Row:
    """The row with `hours_left`."""
    if row["waiting_for"] is None or row["due_at"] is None:
        return {**row, "hours_left": None}
    tenths = Decimal((row["due_at"] - now) // timedelta(microseconds=1)) / 360_000_000
    return {**row, "hours_left": int(tenths.quantize(Decimal(1), ROUND_HALF_UP)) / 10}


async def declaration(reads: Reads, caller: Principal, declaration_id: str) -> Row | None:
    """One row of `declarations`, or None where the caller sees none of this id."""
    async with reads.reading(caller, "declarations.read") as connection:
        rows = await fetch(
            connection,
            f"{DECLARATIONS} WHERE d.declaration_id = :declaration_id",
            {"declaration_id": declaration_id},
        )
    return shown(rows[0], reads.now()) if rows else None


async def declaration_counts(reads: Reads, caller: Principal) -> Row:
    """`{open, due_soon, breached, decided, decided_in_time, median_seconds}`; open ones are those that somebody has to act
    on; a decided one was in time if the centre's limit had not ended before."""
    async with reads.reading(caller, "declarations.read") as connection:
        return await fetch_one(
            connection,
            f"SELECT count(*) FILTER (WHERE {_STANDING['open']} AND d.state <> 'draft') AS open, "
            f"count(*) FILTER (WHERE {_STANDING['due_soon']}) AS due_soon, "
            f"count(*) FILTER (WHERE {_STANDING['breached']}) AS breached, "
            f"count(*) FILTER (WHERE {_STANDING['decided']}) AS decided, "
            f"count(*) FILTER (WHERE {_STANDING['decided']} AND d.breached_at IS NULL) AS decided_in_time, "
            "CAST(percentile_disc(0.5) WITHIN GROUP (ORDER BY d.decision_seconds) AS bigint) AS median_seconds "
            "FROM declaration_view d",
            {"now": reads.now()},
        )
