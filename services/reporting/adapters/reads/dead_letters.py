"""Dead letters of all four services, for those whose role covers everything (REP-12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.adapters.reads.rows import (
    FIRST_INSTANT,
    Page,
    Row,
    fetch,
    fetch_one,
    given,
    instant,
    where,
)
from shared.auth.principals import Principal
from shared.paging import Listing
from shared.scope import reading


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """What a list of dead letters is narrowed to; `state` is `open`, `replayed` or `closed`, None means all."""

    state: str | None = "open"
    service: str | None = None
    reason: str | None = None
    topic: str | None = None


_CONDITIONS: Final = {
    "state": "l.state = :state",
    "service": "l.service = :service",
    "reason": "l.reason = :reason",
    "topic": "l.origin_topic = :topic",
}
# A disposal may be read before the letter; until the letter comes there is nothing to show.
_ARRIVED: Final = "l.letter_offset IS NOT NULL"


async def dead_letters(
    reader: AsyncEngine, caller: Principal, asked: DeadLetterFilter, cursor: str | None, limit: int
) -> Page:
    """Those that failed last first. Each row: the columns of `dead_letter_view`; `customer_code`, `counter_id`, `line` and
    `amount_fen` are what could be read of the message, null where nothing could. `dead_letter_id` is the number in its
    service and known only once it was disposed of; before that, it is found there by topic, partition and offset."""
    values = given(asked)
    listing = Listing("dead-letters", values)
    after = listing.after(cursor, ("", "", "", 0, 0))
    conditions = [_ARRIVED, *(_CONDITIONS[name] for name in values)]
    failed_at = f"coalesce(l.failed_at, timestamptz '{FIRST_INSTANT}')"
    if cursor is not None:
        conditions.append(
            f"({failed_at}, l.service, l.origin_topic, l.origin_partition, l.origin_offset) "
            "< (:failed_at, :of_service, :of_topic, :of_partition, :of_offset)"
        )
        values |= {
            "failed_at": instant(after[0]),
            "of_service": after[1],
            "of_topic": after[2],
            "of_partition": after[3],
            "of_offset": after[4],
        }
    async with reading(reader, caller, "dead_letters.read") as connection:
        rows = await fetch(
            connection,
            f"SELECT l.* FROM dead_letter_view l WHERE {where(conditions)} ORDER BY {failed_at} DESC, l.service DESC, "
            "l.origin_topic DESC, l.origin_partition DESC, l.origin_offset DESC LIMIT :limit",
            {**values, "limit": limit + 1},
        )
    return listing.page(rows, limit, _key)


def _key(row: Row) -> tuple[str, str, str, int, int]:
    failed_at = row["failed_at"]
    return (
        FIRST_INSTANT if failed_at is None else failed_at.isoformat(),
        row["service"],
        row["origin_topic"],
        row["origin_partition"],
        row["origin_offset"],
    )


async def dead_letter_summary(reader: AsyncEngine, caller: Principal) -> Row:
    """What lies open: `{open, customers, amount_fen, by_reason: [{service, reason, count, customers, amount_fen, oldest}]}`;
    amounts and customers as far as messages could be read."""
    sums = "count(*) AS count, count(DISTINCT l.customer_code) AS customers, coalesce(sum(l.amount_fen), 0) AS amount_fen"
    open_ = f"FROM dead_letter_view l WHERE l.state = 'open' AND {_ARRIVED}"
    async with reading(reader, caller, "dead_letters.read") as connection:
        total = await fetch_one(connection, f"SELECT {sums} {open_}")
        by_reason = await fetch(
            connection,
            f"SELECT l.service, l.reason, {sums}, min(l.failed_at) AS oldest {open_} GROUP BY 1, 2 ORDER BY 1, 2",
        )
    return {
        "open": total["count"],
        "customers": total["customers"],
        "amount_fen": total["amount_fen"],
        "by_reason": by_reason,
    }
