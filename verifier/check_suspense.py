"""Suspense, timers and dead letters: what waits has a reason to wait (TIE-3 to TIE-5, invariant I8).

Proved from tiering's tables: a held row has its identity and is booked nowhere; nothing is held whose cause is gone; no
timer of any service is long overdue. Open dead letters are told as a notice: they wait for a person.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from verifier.bookings import read_merges
from verifier.report import Difference, Report
from verifier.snapshot import Snapshot
from verifier.sources import Sources
from verifier.words import identity_of

CHECK: Final = "suspense"
OVERDUE_AFTER: Final = timedelta(minutes=5)

_ROWS: Final = """
    SELECT s.number, s.identity, s.source, s.id, s.state, s.reason, i.identity IS NOT NULL AS claimed,
           i.content = s.content AS first, i.seq AS points_to, l.seq AS own, w.seq AS sale,
           coalesce((SELECT a.status = 'active' FROM bindings b
                     LEFT JOIN unnest($1::int[], $2::int[]) AS m (merged, root) ON m.merged = b.account
                     JOIN accounts a ON a.number = coalesce(m.root, b.account)
                     LEFT JOIN units u ON u.code = s.counter_id
                     LEFT JOIN LATERAL (SELECT array_position(string_to_array(u.path, '/'), b.unit_code)) AS d (depth)
                     ON true
                     WHERE b.code = s.customer_code
                     AND (b.valid_from IS NULL OR b.valid_from <= (s.transaction ->> 'business_date')::date)
                     AND (b.valid_to IS NULL OR b.valid_to >= (s.transaction ->> 'business_date')::date)
                     AND (b.counter_id IS NULL OR b.counter_id = s.counter_id)
                     AND (b.unit_code IS NULL OR d.depth IS NOT NULL)
                     ORDER BY b.counter_id IS NULL, d.depth DESC NULLS LAST LIMIT 1), false) AS known
    FROM suspense s LEFT JOIN identities i ON i.identity = s.identity LEFT JOIN identities w ON w.identity = s.waits_for
         LEFT JOIN ledger l ON l.seq = i.seq AND l.identity = s.identity
    ORDER BY s.number
"""
_BY_CODE: Final = ("unknown_code", "bad_check_digit", "retired_code")


class Waiting(NamedTuple):
    """One row of suspense, with what is known of its identity, its sale and its code; columns as in the statement."""

    number: int
    identity: UUID
    source: str
    id: str
    state: str
    reason: str
    claimed: bool
    first: bool | None
    """Its content is the one that claimed the identity."""
    points_to: int | None
    own: int | None
    """Its own booking; after `replace` the identity points to another's."""
    sale: int | None
    known: bool
    """Its code means an active customer on its business date: the narrowest of the mappings that cover its counter."""


async def check_suspense(sources: Sources, report: Report) -> None:
    """What is held, was held, or waits."""
    for service, db in sources.databases.items():
        if await db.has("timers"):
            await _timers(sources, report, service, db)
        if await db.has("dead_letters"):
            number = await db.value("SELECT count(*) FROM dead_letters WHERE state = 'open'")
            if number:
                report.notice(f"{service}: {number} dead letters are open")
    tiering = sources.database("tiering")
    if tiering is None or not await tiering.has("suspense"):
        return
    async for rows in tiering.chunks(_ROWS, *(await read_merges(tiering)).arrays):
        report.count("rows of suspense", len(rows))
        for row in rows:
            report.add(row_differences(Waiting._make(row)))


def row_differences(row: Waiting) -> list[Difference]:
    """What does not fit about one row."""
    wrong: list[tuple[str, str, str]] = []
    identity = identity_of(row.source, row.id)
    if identity != row.identity:
        wrong.append(("identity of its source and id", str(identity), str(row.identity)))
    if not row.claimed:
        wrong.append(("identity", "claimed", "unknown"))
    elif row.reason == "conflict":
        if row.first and row.state == "held":
            wrong.append(("content of a conflict", "another than the first", "the first"))
    elif row.state in ("held", "closed") and row.own is not None:
        wrong.append((f"booked while {row.state}", "no", f"seq {row.own}"))
    elif row.state == "booked" and row.points_to is None:
        wrong.append(("booked after it was held", "yes", "no"))
    if row.state == "held" and row.reason == "sale_unknown" and row.sale is not None:
        wrong.append(("held for its sale", "no, it has come", f"seq {row.sale}"))
    if row.state == "held" and row.reason in _BY_CODE and row.known:
        wrong.append(("held for its code", "no, it is good", row.reason))
    return [
        Difference(CHECK, f"number {row.number}", what, expected, found) for what, expected, found in wrong
    ]


async def _timers(sources: Sources, report: Report, service: str, db: Snapshot) -> None:
    now = sources.now(db)
    for row in await db.rows(
        "SELECT id, kind, subject, due_at FROM timers WHERE fired_at IS NULL AND due_at < $1 ORDER BY due_at LIMIT 100",
        now - OVERDUE_AFTER,
    ):
        where = f"{service} {row['kind']} {row['subject']}"
        report.add([Difference("timers", where, "fired", f"at {row['due_at'].isoformat()}", "not yet")])
