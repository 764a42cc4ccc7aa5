"""Transactions held in suspense: the list, and what they hold up (REP-12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import (
    Row,
    fetch,
    fetch_one,
    given,
    in_unit_or_at_the_root,
    or_last,
    without_keys,
)
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page


@dataclass(frozen=True, slots=True)
class SuspenseFilter:
    """What a list of held transactions is narrowed to. `state` is `held`, `released` or `closed`; None means all three.
    `code` is the customer code as it was sent."""

    state: str | None = "held"
    reason: str | None = None
    code: str | None = None
    counter: str | None = None
    unit: str | None = None


_SUSPENSE: Final = (
    "SELECT s.*, c.name FROM suspense_view s "
    "LEFT JOIN customer_view c ON c.customer_code = coalesce(s.booked_for, s.customer_code)"
)
CODES_MAX: Final = 20
_AGES: Final = (("1d", timedelta(days=1)), ("7d", timedelta(days=7)), ("30d", timedelta(days=30)))


_HELD: Final = or_last("s.held_at")
_LIST: Final = KeysetList(
    "suspense",
    "suspense.read",
    _SUSPENSE.replace(
        " FROM suspense_view", f", {_HELD} AS sort_held, CAST(s.item AS text) AS sort_item FROM suspense_view"
    ),
    orders={
        "held": Order(
            (Column(_HELD, "sort_held", "timestamptz"), Column("CAST(s.item AS text)", "sort_item"))
        )
    },
    filters={
        "state": "s.state = :state",
        "reason": "s.reason = :reason",
        "code": "s.customer_code = :code",
        "counter": "s.counter_id = :counter",
        "unit": in_unit_or_at_the_root("s"),
    },
)


async def suspense(
    reads: Reads, caller: Principal, asked: SuspenseFilter, cursor: str | None, limit: int
) -> Page:
    """Those held for the longest first. Each row: the columns of `suspense_view` (`item` is a UUID that names the held
    content, `held_at` since when, `changed_at` and `decided_by` of the last step, `unit_path` `/` where it belongs to no
    unit anybody knows), the `name` of the customer that the code means where one is known, and `age_days`."""
    found = without_keys(await _LIST.read(reads.reader, caller, given(asked), cursor, limit))
    now = reads.now()
    return Page([_aged(row, now) for row in found.items], found.next_cursor)


def _aged(row: Row, now: datetime) -> Row:
    return {**row, "age_days": None if row["held_at"] is None else max(0, (now - row["held_at"]).days)}


async def suspense_item(reads: Reads, caller: Principal, item: UUID) -> Row | None:
    """One row of `suspense`, or None where the caller sees none of this name."""
    async with reads.reading(caller, "suspense.read") as connection:
        rows = await fetch(connection, f"{_SUSPENSE} WHERE s.item = :item", {"item": item})
    return _aged(rows[0], reads.now()) if rows else None


async def suspense_codes(reads: Reads, caller: Principal, reason: str) -> list[Row]:
    """What is held for this reason, by the code as it was sent: `[{customer_code, count, amount_fen, item, name}]`, at most
    20, the largest sum first. The sum is sales less reversals, `item` one of the held ones."""
    async with reads.reading(caller, "suspense.read") as connection:
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


async def suspense_summary(reads: Reads, caller: Principal) -> Row:
    """What is held now: `{held, amount_fen, customers, by_reason, by_age}`.

    `by_reason`: `[{reason, count, amount_fen, customers, oldest}]`, the largest amount first; `by_age`: `[{age, count,
    amount_fen}]` with age `1d` (less than a day), `7d`, `30d`, `older`. Amounts are what is held up, sales and reversals
    alike; `customers` counts the codes as sent.
    """
    sums = "count(*) AS count, coalesce(sum(amount_fen), 0) AS amount_fen, count(DISTINCT customer_code) AS customers"
    now = reads.now()
    async with reads.reading(caller, "suspense.read") as connection:
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
