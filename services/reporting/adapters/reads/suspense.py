"""Transactions held in suspense: the list, and what they hold up (REP-12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.adapters.reads.rows import (
    LAST_INSTANT,
    Page,
    Row,
    fetch,
    fetch_one,
    given,
    instant,
    under_unit_or_at_the_root,
    where,
)
from shared.auth.principals import Principal
from shared.paging import Listing, bad_cursor
from shared.scope import reading


@dataclass(frozen=True, slots=True)
class SuspenseFilter:
    """What a list of held transactions is narrowed to. `state` is `held`, `released` or `closed`; None means all three.
    `code` is the customer code as it was sent."""

    state: str | None = "held"
    reason: str | None = None
    code: str | None = None
    counter: str | None = None
    unit: str | None = None


_CONDITIONS: Final = {
    "state": "s.state = :state",
    "reason": "s.reason = :reason",
    "code": "s.customer_code = :code",
    "counter": "s.counter_id = :counter",
    "unit": under_unit_or_at_the_root("s"),
}
_SUSPENSE: Final = (
    "SELECT s.*, c.name FROM suspense_view s "
    "LEFT JOIN customer_view c ON c.customer_code = coalesce(s.booked_for, s.customer_code)"
)
CODES_MAX: Final = 20
_AGES: Final = (("1d", timedelta(days=1)), ("7d", timedelta(days=7)), ("30d", timedelta(days=30)))


async def suspense(
    reader: AsyncEngine,
    caller: Principal,
    now: datetime,
    asked: SuspenseFilter,
    cursor: str | None,
    limit: int,
) -> Page:
    """Those held for the longest first. Each row: the columns of `suspense_view` (`item` is a UUID that names the held
    content, `held_at` since when, `changed_at` and `decided_by` of the last step, `unit_path` `/` where it belongs to no
    unit anybody knows), the `name` of the customer that the code means where one is known, and `age_days`."""
    values = given(asked)
    listing = Listing("suspense", values)
    after = listing.after(cursor, ("", ""))
    conditions = [_CONDITIONS[name] for name in values]
    held_at = f"coalesce(s.held_at, timestamptz '{LAST_INSTANT}')"
    if cursor is not None:
        conditions.append(f"({held_at}, s.item) > (:held_at, :item)")
        values |= {"held_at": instant(after[0]), "item": _item(after[1])}
    async with reading(reader, caller, "suspense.read") as connection:
        rows = await fetch(
            connection,
            f"{_SUSPENSE} WHERE {where(conditions)} ORDER BY {held_at}, s.item LIMIT :limit",
            {**values, "limit": limit + 1},
        )
    return listing.page([_aged(row, now) for row in rows], limit, _key)


def _aged(row: Row, now: datetime) -> Row:
    return {**row, "age_days": None if row["held_at"] is None else max(0, (now - row["held_at"]).days)}


async def suspense_item(reader: AsyncEngine, caller: Principal, now: datetime, item: UUID) -> Row | None:
    """One row of `suspense`, or None where the caller sees none of this name."""
    async with reading(reader, caller, "suspense.read") as connection:
        rows = await fetch(connection, f"{_SUSPENSE} WHERE s.item = :item", {"item": item})
    return _aged(rows[0], now) if rows else None


async def suspense_codes(reader: AsyncEngine, caller: Principal, reason: str) -> list[Row]:
    """What is held for this reason, by the code as it was sent: `[{customer_code, count, amount_fen, item, name}]`, at most
    20, the largest sum first. The sum is sales less reversals, `item` one of the held ones."""
    async with reading(reader, caller, "suspense.read") as connection:
        return await fetch(
            connection,
            "SELECT g.*, c.name FROM (SELECT customer_code, count(*) AS count, "
            "sum(CASE WHEN kind = 'reversal' THEN -amount_fen ELSE amount_fen END) AS amount_fen, "
            "(array_agg(item ORDER BY held_at, item))[1] AS item FROM suspense_view "
            "WHERE state = 'held' AND reason = :reason GROUP BY customer_code "
            "ORDER BY 3 DESC, customer_code LIMIT :most) g "
            "LEFT JOIN customer_view c USING (customer_code) ORDER BY g.amount_fen DESC, g.customer_code",
            {"reason": reason, "most": CODES_MAX},
        )


def _key(row: Row) -> tuple[str, str]:
    held_at = row["held_at"]
    return LAST_INSTANT if held_at is None else held_at.isoformat(), str(row["item"])


def _item(printed: str | int) -> UUID:
    try:
        return UUID(str(printed))
    except ValueError:
        raise bad_cursor() from None


async def suspense_summary(reader: AsyncEngine, caller: Principal, now: datetime) -> Row:
    """What is held now: `{held, amount_fen, customers, by_reason, by_age}`.

    `by_reason`: `[{reason, count, amount_fen, customers, oldest}]`, the largest amount first; `by_age`: `[{age, count,
    amount_fen}]` with age `1d` (less than a day), `7d`, `30d`, `older`. Amounts are what is held up, sales and reversals
    alike; `customers` counts the codes as sent.
    """
    sums = "count(*) AS count, coalesce(sum(amount_fen), 0) AS amount_fen, count(DISTINCT customer_code) AS customers"
    async with reading(reader, caller, "suspense.read") as connection:
        total = await fetch_one(connection, f"SELECT {sums} FROM suspense_view WHERE state = 'held'")
        by_reason = await fetch(
            connection,
            f"SELECT reason, {sums}, min(held_at) AS oldest FROM suspense_view WHERE state = 'held' "
            "GROUP BY reason ORDER BY amount_fen DESC, reason",
        )
        ages = " ".join(f"WHEN held_at > :after_{name} THEN '{name}'" for name, _ in _AGES)
        found = await fetch(
            connection,
            f"SELECT CASE {ages} ELSE 'older' END AS age, count(*) AS count, sum(amount_fen) AS amount_fen "
            "FROM suspense_view WHERE state = 'held' GROUP BY 1",
            {f"after_{name}": now - age for name, age in _AGES},
        )
    by_age = {row["age"]: row for row in found}
    return {
        "held": total["count"],
        "amount_fen": total["amount_fen"],
        "customers": total["customers"],
        "by_reason": by_reason,
        "by_age": [
            by_age.get(age, {"age": age, "count": 0, "amount_fen": 0})
            for age in (*(name for name, _ in _AGES), "older")
        ],
    }
