"""Development plans of the caller's units: the list, and one with what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import (
    Row,
    fetch,
    fetch_one,
    given,
    has_part,
    in_unit,
    one_of,
    or_first,
    without_keys,
)
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page


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
PLANS: Final = (
    "SELECT p.*, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en FROM plan_view p "
    "LEFT JOIN unit_view u ON u.unit_code = p.unit_code"
)


_SUBMITTED: Final = or_first("p.submitted_at")
_LIST: Final = KeysetList(
    "plans",
    "plans.read",
    PLANS.replace(" FROM plan_view p", f", {_SUBMITTED} AS sort_submitted FROM plan_view p"),
    orders={
        "submitted": Order(
            (Column(_SUBMITTED, "sort_submitted", "timestamptz"), Column("p.plan_id", "plan_id")),
            descending=True,
        )
    },
    filters={
        "state": "p.state = :state",
        "unit": in_unit("p"),
        "customer": "p.customer_code = :customer",
        "kind": "p.kind = :kind",
        "standing": one_of("standing", _STANDING),
        "mine": ":mine IN (p.manager_a, p.manager_b)",
        "q": has_part("p.name"),
    },
)


async def plans(reads: Reads, caller: Principal, asked: PlanFilter, cursor: str | None, limit: int) -> Page:
    """The latest submitted first, drafts last. Each row: the columns of `plan_view`, `unit_name_zh`, `unit_name_en`."""
    narrowed = {**given(asked), "mine": caller.user if asked.mine else None}
    found = await _LIST.read(reads.reader, caller, narrowed, cursor, limit, given={"now": reads.now()})
    return without_keys(found)


async def plan(reads: Reads, caller: Principal, plan_id: str) -> Row | None:
    """One row of `plans` with `events`, the rows of `claims_event_view` in their order, or None."""
    async with reads.reading(caller, "plans.read") as connection:
        rows = await fetch(connection, f"{PLANS} WHERE p.plan_id = :plan_id", {"plan_id": plan_id})
        if not rows:
            return None
        events = await fetch(
            connection,
            "SELECT * FROM claims_event_view WHERE plan_id = :plan_id ORDER BY happened_at, record_offset",
            {"plan_id": plan_id},
        )
    return {**rows[0], "events": events}


async def plan_counts(reads: Reads, caller: Principal, soon: datetime) -> Row:
    """`{active, ending_7d, settling, review, overdue}` of the caller's units: windows in force, of them those that end by
    `soon`, windows settling, plans to review, reviews overdue."""
    async with reads.reading(caller, "plans.read") as connection:
        return await fetch_one(
            connection,
            "SELECT count(*) FILTER (WHERE p.state = 'active') AS active, "
            "count(*) FILTER (WHERE p.state = 'active' AND p.ends_at <= :soon) AS ending_7d, "
            "count(*) FILTER (WHERE p.state = 'settling') AS settling, "
            f"count(*) FILTER (WHERE {_STANDING['review']}) AS review, "
            f"count(*) FILTER (WHERE {_STANDING['overdue']}) AS overdue FROM plan_view p",
            {"now": reads.now(), "soon": soon},
        )
