"""Development plans of the caller's units: the list, and one with what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.adapters.reads.rows import (
    FIRST_INSTANT,
    Page,
    Row,
    fetch,
    fetch_one,
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
class PlanFilter:
    """What a list of plans is narrowed to. `standing` is `open` (not decided or in force), `review` (waiting for its
    review) or `overdue` (its review); `mine` means that the caller is one of its managers; `q` is a part of the name."""

    state: str | None = None
    unit: str | None = None
    customer: str | None = None
    kind: str | None = None
    standing: str | None = None
    mine: bool | None = None
    q: str | None = None


_STANDING: Final = {
    "open": "p.state IN ('submitted', 'registered', 'active', 'settling')",
    "review": "p.state = 'submitted' AND NOT p.queued",
    "overdue": "p.state = 'submitted' AND p.due_at <= :now",
}
_CONDITIONS: Final = {
    "state": "p.state = :state",
    "unit": under_unit("p"),
    "customer": "p.customer_code = :customer",
    "kind": "p.kind = :kind",
    "q": has_part("p.name"),
}
PLANS: Final = (
    "SELECT p.*, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en FROM plan_view p "
    "LEFT JOIN unit_view u ON u.unit_code = p.unit_code"
)


async def plans(
    reader: AsyncEngine, caller: Principal, now: datetime, asked: PlanFilter, cursor: str | None, limit: int
) -> Page:
    """The latest submitted first, drafts last. Each row: the columns of `plan_view`, `unit_name_zh`, `unit_name_en`."""
    values = given(asked)
    listing = Listing("plans", values)
    after = listing.after(cursor, ("", ""))
    conditions = [_CONDITIONS[name] for name in values if name in _CONDITIONS]
    standing, mine = values.pop("standing", None), values.pop("mine", None)
    if standing is not None:
        conditions.append(_STANDING.get(standing, "false"))
        if standing == "overdue":
            values["now"] = now
    if mine:
        conditions.append(":caller IN (p.manager_a, p.manager_b)")
        values["caller"] = caller.user
    submitted = f"coalesce(p.submitted_at, timestamptz '{FIRST_INSTANT}')"
    if cursor is not None:
        conditions.append(f"({submitted}, p.plan_id) < (:submitted, :plan)")
        values |= {"submitted": instant(after[0]), "plan": after[1]}
    async with reading(reader, caller, "plans.read") as connection:
        rows = await fetch(
            connection,
            f"{PLANS} WHERE {where(conditions)} ORDER BY {submitted} DESC, p.plan_id DESC LIMIT :limit",
            {**values, "limit": limit + 1},
        )
    return listing.page(rows, limit, _key)


def _key(row: Row) -> tuple[str, str]:
    submitted = row["submitted_at"]
    return FIRST_INSTANT if submitted is None else submitted.isoformat(), row["plan_id"]


async def plan(reader: AsyncEngine, caller: Principal, plan_id: str) -> Row | None:
    """One row of `plans` with `events`, the rows of `claims_event_view` in their order, or None."""
    async with reading(reader, caller, "plans.read") as connection:
        rows = await fetch(connection, f"{PLANS} WHERE p.plan_id = :plan_id", {"plan_id": plan_id})
        if not rows:
            return None
        events = await fetch(
            connection,
            "SELECT * FROM claims_event_view WHERE plan_id = :plan_id ORDER BY happened_at, record_offset",
            {"plan_id": plan_id},
        )
    return {**rows[0], "events": events}


async def plan_counts(reader: AsyncEngine, caller: Principal, now: datetime, soon: datetime) -> Row:
    """`{active, ending_7d, settling, review, overdue}` of the caller's units: windows in force, of them those that end by
    `soon`, windows settling, plans to review, reviews overdue."""
    async with reading(reader, caller, "plans.read") as connection:
        return await fetch_one(
            connection,
            "SELECT count(*) FILTER (WHERE p.state = 'active') AS active, "
            "count(*) FILTER (WHERE p.state = 'active' AND p.ends_at <= :soon) AS ending_7d, "
            "count(*) FILTER (WHERE p.state = 'settling') AS settling, "
            f"count(*) FILTER (WHERE {_STANDING['review']}) AS review, "
            f"count(*) FILTER (WHERE {_STANDING['overdue']}) AS overdue FROM plan_view p",
            {"now": now, "soon": soon},
        )
