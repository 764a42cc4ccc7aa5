"""Dead letters of all four services, for those whose role covers everything (REP-12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import Row, fetch, fetch_one, given, or_first, without_keys
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """What a list of dead letters is narrowed to; `state` is `open`, `replayed` or `closed`, None means all."""

    state: str | None = "open"
    service: str | None = None
    reason: str | None = None
    topic: str | None = None


# A disposal may be read before the letter; until the letter comes there is nothing to show.
_ARRIVED: Final = "l.letter_offset IS NOT NULL"


_FAILED: Final = or_first("l.failed_at")
_LIST: Final = KeysetList(
    "dead-letters",
    "dead_letters.read",
    f"SELECT l.*, {_FAILED} AS sort_failed FROM dead_letter_view l",
    orders={
        "failed": Order(
            (
                Column(_FAILED, "sort_failed", "timestamptz"),
                Column("l.service", "service"),
                Column("l.origin_topic", "origin_topic"),
                Column("l.origin_partition", "origin_partition", "bigint"),
                Column("l.origin_offset", "origin_offset", "bigint"),
            ),
            descending=True,
        )
    },
    filters={
        "state": "l.state = :state",
        "service": "l.service = :service",
        "reason": "l.reason = :reason",
        "topic": "l.origin_topic = :topic",
    },
    always=_ARRIVED,
)


async def dead_letters(
    reads: Reads, caller: Principal, asked: DeadLetterFilter, cursor: str | None, limit: int
) -> Page:
    """Those that failed last first. Each row: the columns of `dead_letter_view`; `customer_code`, `counter_id`, `line` and
    `amount_fen` are what could be read of the message, null where nothing could. `dead_letter_id` is the number in its
    service and known only once it was disposed of; before that, it is found there by topic, partition and offset."""
    return without_keys(await _LIST.read(reads.reader, caller, given(asked), cursor, limit))


async def dead_letter_summary(reads: Reads, caller: Principal) -> Row:
    """What lies open: `{open, customers, amount_fen, by_reason: [{service, reason, count, customers, amount_fen, oldest}]}`;
    amounts and customers as far as messages could be read."""
    sums = "count(*) AS count, count(DISTINCT l.customer_code) AS customers, coalesce(sum(l.amount_fen), 0) AS amount_fen"
    open_ = f"FROM dead_letter_view l WHERE l.state = 'open' AND {_ARRIVED}"
    async with reads.reading(caller, "dead_letters.read") as connection:
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
