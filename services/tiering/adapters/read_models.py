"""What HTTP shows of the ledger, read as `tiering_reader` under row-level security."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tiering.adapters import rows
from services.tiering.adapters.revenue_store import untold
from services.tiering.domain.account import Account
from services.tiering.handlers.ports import Close

Row = Mapping[str, Any]


_MEANT = text("""
    WITH RECURSIVE meant AS (
        SELECT a.*, 0 AS step FROM accounts a
        WHERE a.number = coalesce((SELECT number FROM accounts WHERE code = :code),
                                  (SELECT account FROM bindings WHERE code = :code AND valid_to IS NULL
                                   ORDER BY unit_code NULLS FIRST, counter_id NULLS FIRST LIMIT 1))
        UNION ALL SELECT a.*, m.step + 1 FROM accounts a JOIN meant m ON a.number = m.merged_into
    ) SELECT * FROM meant ORDER BY step
""")


class Meant(NamedTuple):
    """The customer that a code means today, with totals and standings. `path` are the customers from the one whose code it
    is to that one: several where it was merged."""

    account: Account
    path: list[Account]


async def account_of(connection: AsyncConnection, code: str) -> Meant | None:
    """What a registry code, also a merged one, or a mapped counter code means today; of a code that means several
    customers, each at its counters, the one for all counters before the others."""
    found = (await connection.execute(_MEANT, {"code": code})).mappings()
    path = [rows.account(dict(row)) for row in found]
    if not path:
        return None
    account = path[-1]
    totals = await connection.execute(
        text(
            "SELECT month / 100 AS year, line, sum(amount_fen)::bigint AS fen FROM month_totals "
            "WHERE account = :account GROUP BY 1, 2"
        ),
        {"account": account.number},
    )
    for total in totals:
        account.year(total.year)[total.line] = total.fen
    standings = await connection.execute(
        text("SELECT * FROM standings WHERE account = :account"), {"account": account.number}
    )
    for standing in standings.mappings():
        account.standings[standing["scheme"]] = rows.standing(dict(standing))
    return Meant(account, path)


async def parts_of(connection: AsyncConnection, account: int) -> dict[int, str]:
    """number → code of an account and of all that were merged into it, directly or by way of others."""
    found = await connection.execute(
        text(
            "WITH RECURSIVE parts AS (SELECT number, code FROM accounts WHERE number = :account "
            "UNION SELECT a.number, a.code FROM accounts a JOIN parts p ON a.merged_into = p.number) "
            "SELECT number, code FROM parts ORDER BY code"
        ),
        {"account": account},
    )
    return {row.number: row.code for row in found}


async def late_fen(connection: AsyncConnection, account: int, year: int, lines: Sequence[int]) -> int:
    """What was booked into a year after its close."""
    found = await connection.scalar(
        text(
            "SELECT coalesce(sum(late_fen), 0)::bigint FROM month_totals WHERE account = :account "
            "AND month BETWEEN :first AND :last AND line = ANY(:lines)"
        ),
        {"account": account, "first": year * 100 + 1, "last": year * 100 + 12, "lines": list(lines)},
    )
    return int(found or 0)


async def changes_of(
    connection: AsyncConnection, account: int, scheme: str, as_of: date | None = None
) -> list[dict[str, Any]]:
    """The tier changes of one customer under one scheme in order, those in effect on a day if one is given."""
    found = await connection.execute(
        text("SELECT event FROM tier_changes WHERE account = :account AND scheme = :scheme ORDER BY version"),
        {"account": account, "scheme": scheme},
    )
    events = [json.loads(row.event) for row in found]
    if as_of is None:
        return events
    return [event for event in events if date.fromisoformat(event["effective_on"]) <= as_of]


async def feed(
    connection: AsyncConnection, after: int, limit: int, code: str | None, scheme: str | None
) -> list[Row]:
    """Tier changes in the order of their commits, beginning behind a number."""
    found = await connection.execute(
        text(
            "SELECT number, event, traceparent FROM tier_changes WHERE number > :after "
            "AND (CAST(:code AS text) IS NULL OR customer_code = :code) "
            "AND (CAST(:scheme AS text) IS NULL OR scheme = :scheme) ORDER BY number LIMIT :limit"
        ),
        {"after": after, "limit": limit, "code": code, "scheme": scheme},
    )
    return [dict(row) for row in found.mappings()]


async def bookings_of(
    connection: AsyncConnection, accounts: Collection[int], year: int, lines: Sequence[int], limit: int
) -> tuple[int, list[Row]]:
    """How many bookings of these accounts a year's total rests on, and the latest of them in the order of booking."""
    where = (
        "FROM ledger WHERE account = ANY(:accounts) AND business_date >= :first AND business_date < :end "
        "AND line = ANY(:lines)"
    )
    values = {
        "accounts": list(accounts),
        "first": date(year, 1, 1),
        "end": date(year + 1, 1, 1),
        "lines": list(lines),
        "limit": limit,
    }
    count = await connection.scalar(text(f"SELECT count(*) {where}"), values)
    found = await connection.execute(
        text(
            "SELECT seq, account, source, id, customer_code, line, kind, business_date, amount_fen, counter_id, arrived_at, "
            f"booked_at, late {where} ORDER BY seq DESC LIMIT :limit"
        ),
        values,
    )
    listed: list[Row] = [dict(row) for row in found.mappings()]
    return int(count or 0), listed[::-1]


async def suspense(
    connection: AsyncConnection,
    state: str | None,
    reason: str | None,
    code: str | None,
    after: int,
    limit: int,
) -> list[Row]:
    found = await connection.execute(
        text(
            "SELECT * FROM suspense WHERE number > :after AND (CAST(:state AS text) IS NULL OR state = :state) "
            "AND (CAST(:reason AS text) IS NULL OR reason = :reason) "
            "AND (CAST(:code AS text) IS NULL OR customer_code = :code) ORDER BY number LIMIT :limit"
        ),
        {"after": after, "limit": limit, "state": state, "reason": reason, "code": code},
    )
    return [dict(row) for row in found.mappings()]


async def suspended(connection: AsyncConnection, number: int) -> Row | None:
    found = await connection.execute(
        text("SELECT * FROM suspense WHERE number = :number"), {"number": number}
    )
    row = found.mappings().first()
    return None if row is None else dict(row)


async def closes(connection: AsyncConnection, year: int | None = None) -> list[Close]:
    found = await connection.execute(
        text("SELECT * FROM closes WHERE CAST(:year AS int) IS NULL OR year = :year ORDER BY year"),
        {"year": year},
    )
    return [rows.close(dict(row)) for row in found.mappings()]


async def closes_pending(connection: AsyncConnection) -> int:
    """Closes that are not done."""
    return int(await connection.scalar(text("SELECT count(*) FROM closes WHERE state <> 'done'")) or 0)


async def work_pending(connection: AsyncConnection) -> int:
    """Work that no topic, outbox or timer shows: closes that are not done, and revenue that is not told."""
    return await closes_pending(connection) + (await untold(connection)).pending
