"""Windows on a time line: those in force are published to everybody inside, past ones are the plans of one's own units."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import Row, fetch, in_unit, where
from shared.auth.policy import permit
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page

TIME_LINE_MAX: Final = 2_000

_CURRENT: Final = (
    "SELECT w.window_key, w.customer_code, w.uscc, w.name, w.state, w.plan_id, w.unit_code, w.unit_path, w.manager_a, "
    "w.manager_b, w.kind, w.lines, w.opens_at, w.ends_at, w.last_day, w.settled_at, w.as_of, "
    "u.name_zh AS unit_name_zh, u.name_en AS unit_name_en FROM window_view w "
    "LEFT JOIN unit_view u ON u.unit_code = w.unit_code"
)
# A window that expired is closed when it has settled, and one that succeeded perhaps while settling: neither was longer.
_ENDED: Final = "least(p.closed_at, p.ends_at)"
_PAST: Final = (
    "SELECT coalesce(p.customer_code, 'uscc:' || p.uscc) AS window_key, p.customer_code, p.uscc, p.name, p.state, "
    "p.plan_id, p.unit_code, p.unit_path, p.manager_a, p.manager_b, p.kind, p.lines, p.opens_at, "
    f"{_ENDED} AS ends_at, "
    f"CAST(({_ENDED} - interval '1 microsecond') AT TIME ZONE 'Asia/Shanghai' AS date) AS last_day, "
    "p.settled_at, p.as_of, u.name_zh AS unit_name_zh, u.name_en AS unit_name_en FROM plan_view p "
    "LEFT JOIN unit_view u ON u.unit_code = p.unit_code"
)


async def windows(
    reads: Reads,
    caller: Principal,
    from_: datetime | None = None,
    to: datetime | None = None,
    unit: str | None = None,
    past: bool = True,
) -> list[Row]:
    """Windows that touch the period, at most 2 000, by the instant they opened. `state` is `active` or `settling` for those
    in force (of every unit), and with `past` `succeeded`, `expired` or `withdrawn` for those of the caller's own units.

    Each row: window_key, customer_code, uscc, name, state, plan_id, unit_code, unit_path, unit_name_zh, unit_name_en,
    manager_a, manager_b, kind, lines, opens_at, ends_at (exclusive; of a past one when it ended), last_day, settled_at,
    as_of, plan_seen, customer_seen.
    """
    values: Row = {"most": TIME_LINE_MAX}
    if from_ is not None:
        values["from_"] = from_
    if to is not None:
        values["to"] = to
    if unit is not None:
        values["unit"] = unit
    async with reads.reading(caller, "windows.read") as connection:
        found = await fetch(
            connection,
            f"{_CURRENT} WHERE {_touching('w', from_, to, unit, 'w.settled_at')} ORDER BY w.opens_at LIMIT :most",
            values,
        )
    if past and permit(caller, "plans.read") is None:
        async with reads.reading(caller, "plans.read") as connection:
            found += await fetch(
                connection,
                f"{_PAST} WHERE p.opens_at IS NOT NULL AND p.state IN ('succeeded', 'expired', 'withdrawn') AND "
                f"{_touching('p', from_, to, unit, _ENDED)} ORDER BY p.opens_at LIMIT :most",
                values,
            )
    await _mark_what_is_seen(reads, caller, found)
    return sorted(found, key=lambda row: (row["opens_at"], row["plan_id"]))


async def _mark_what_is_seen(reads: Reads, caller: Principal, rows: list[Row]) -> None:
    """`plan_seen` and `customer_seen`: whether the caller may open the plan behind a window, and its customer. Windows are
    open to everybody inside, the two others are not."""
    plans, customers = set[str](), set[str]()
    if permit(caller, "plans.read") is None:
        async with reads.reading(caller, "plans.read") as connection:
            asked = {"plans": [row["plan_id"] for row in rows]}
            query = "SELECT plan_id FROM plan_view WHERE plan_id = ANY(:plans)"
            plans = {row["plan_id"] for row in await fetch(connection, query, asked)}
    if permit(caller, "customers.read") is None:
        async with reads.reading(caller, "customers.read") as connection:
            asked = {"codes": [row["customer_code"] for row in rows if row["customer_code"]]}
            query = "SELECT customer_code FROM customer_view WHERE customer_code = ANY(:codes)"
            customers = {row["customer_code"] for row in await fetch(connection, query, asked)}
    for row in rows:
        row["plan_seen"] = row["plan_id"] in plans
        row["customer_seen"] = row["customer_code"] in customers


def _touching(table: str, from_: datetime | None, to: datetime | None, unit: str | None, end: str) -> str:
    conditions = []
    if from_ is not None:
        conditions.append(f"{end} > :from_")
    if to is not None:
        conditions.append(f"{table}.opens_at < :to")
    if unit is not None:
        conditions.append(in_unit(table))
    return where(conditions)


_LIST: Final = KeysetList(
    "windows",
    "windows.read",
    _CURRENT,
    orders={
        "ends": Order((Column("w.ends_at", "ends_at", "timestamptz"), Column("w.window_key", "window_key")))
    },
    filters={"unit": in_unit("w")},
)


async def current_windows(
    reads: Reads, caller: Principal, unit: str | None, cursor: str | None, limit: int
) -> Page:
    """Windows in force or settling of every unit, those that end first coming first; rows as in `windows`."""
    return await _LIST.read(reads.reader, caller, {"unit": unit}, cursor, limit)
