"""The ledger itself: numbered without gaps, each identity once, signs and late marks right (TIE-1, TIE-4, TIE-9).

Proved from the ledger's rows in their order: identities are recomputed from (source, id); a sale is above zero and a
reversal below; the mark `late` begins, for each close, at one place of the order and holds for every later booking of
the years it closed. What named reversals take of their sale is summed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from verifier.bookings import Merges
from verifier.report import Difference, Report
from verifier.snapshot import Snapshot
from verifier.words import LINES, identity_of, yuan

CHECK: Final = "ledger"
UNIT_OF_WORK_MAX: Final = timedelta(minutes=10)
"""Longer than any unit of work lasts: `booked_at` is read when it begins, before it has its place in the ledger."""


class Entry(NamedTuple):
    """The columns of the ledger that this check reads, in the order of the statement below."""

    seq: int
    identity: UUID
    source: str
    id: str
    line: int
    kind: str
    amount_fen: int
    year: int
    late: bool
    booked_at: datetime


@dataclass(slots=True)
class CloseMark:
    """A close, and between which two bookings its instant lies: at or after `after_seq`, before `before_seq`."""

    year: int
    closed_at: datetime
    finished_at: datetime | None
    previous: int | None = None
    """The last year closed before it: the years between have no close of their own and are covered by this one."""
    after_seq: int = 0
    before_seq: int | None = None

    def covers(self, year: int) -> bool:
        return year <= self.year and (self.previous is None or year > self.previous)


def marks_of(closes: Iterable[tuple[int, datetime, datetime | None]]) -> list[CloseMark]:
    """The closes that have happened, in order; each covers the years since the one before it."""
    marks: list[CloseMark] = []
    for year, closed_at, finished_at in sorted(closes):
        marks.append(CloseMark(year, closed_at, finished_at, marks[-1].year if marks else None))
    return marks


@dataclass(slots=True)
class Order:
    """Follows the ledger in the order of its numbers."""

    marks: Sequence[CloseMark]
    last_seq: int = 0
    found: list[Difference] = field(default_factory=list)
    _covering: dict[int, CloseMark | None] = field(default_factory=dict)

    def follow(self, entry: Entry) -> None:
        seq = entry.seq
        if seq != self.last_seq + 1:
            self._differs(f"seq {seq}", "number after the one before", str(self.last_seq + 1), str(seq))
        self.last_seq = seq
        if identity_of(entry.source, entry.id) != entry.identity:
            expected = str(identity_of(entry.source, entry.id))
            self._differs(f"seq {seq}", "identity of its source and id", expected, str(entry.identity))
        if (entry.kind == "sale") != (entry.amount_fen > 0) or entry.kind not in ("sale", "reversal"):
            sign = "above zero" if entry.kind == "sale" else "below zero"
            self._differs(f"seq {seq}", f"amount of a {entry.kind}", sign, yuan(entry.amount_fen))
        if not 0 <= entry.line < len(LINES):
            self._differs(f"seq {seq}", "line", f"0 to {len(LINES) - 1}", str(entry.line))
        self._late(entry)

    def _late(self, entry: Entry) -> None:
        mark = self._mark(entry.year)
        if mark is None:
            if entry.late:
                self._differs(f"seq {entry.seq}", "late mark", "none, its year is open", "late")
        elif entry.late:
            if mark.before_seq is None:
                mark.before_seq = entry.seq
        elif mark.before_seq is not None or (
            mark.finished_at is not None and entry.booked_at > mark.finished_at
        ):
            self._differs(f"seq {entry.seq}", "late mark", f"late, {mark.year} was closed before", "none")
        else:
            mark.after_seq = entry.seq

    def _mark(self, year: int) -> CloseMark | None:
        if year not in self._covering:
            self._covering[year] = next((mark for mark in self.marks if mark.covers(year)), None)
        return self._covering[year]

    def _differs(self, where: str, what: str, expected: str, found: str) -> None:
        self.found.append(Difference(CHECK, where, what, expected, found))


_ENTRIES = (
    "SELECT seq, identity, source, id, line, kind, amount_fen, extract(year FROM business_date)::int, late, booked_at "
    "FROM ledger ORDER BY seq"
)


async def check_ledger(db: Snapshot, merges: Merges, report: Report) -> list[CloseMark]:
    """Everything about the ledger; returns the closes with their places in it, for the check of tiers."""
    closes = await db.rows("SELECT year, closed_at, finished_at FROM closes WHERE closed_at IS NOT NULL")
    order = Order(marks_of((row[0], row[1], row[2]) for row in closes))
    async for rows in db.chunks(_ENTRIES):
        for row in rows:
            order.follow(Entry._make(row))
    report.count("ledger entries", order.last_seq)
    report.add(order.found)
    report.add(await _heads(db, order.last_seq))
    report.add(await _identities(db))
    report.add(await _reversals(db, merges))
    await _narrow(db, order.marks)
    return list(order.marks)


async def _narrow(db: Snapshot, marks: Sequence[CloseMark]) -> None:
    """Use the clock where the late marks leave the place of a close open: a unit of work that began long before the
    close stands before it, and one that began after the close was finished stands after it."""
    for mark in marks:
        after, before = (
            await db.rows(
                "SELECT max(seq) FILTER (WHERE booked_at < $1), min(seq) FILTER (WHERE booked_at > $2) FROM ledger",
                mark.closed_at - UNIT_OF_WORK_MAX,
                mark.finished_at,
            )
        )[0]
        mark.after_seq = max(mark.after_seq, after or 0)
        if before is not None and (mark.before_seq is None or before < mark.before_seq):
            mark.before_seq = before


async def _heads(db: Snapshot, last_seq: int) -> list[Difference]:
    """The counters from which numbers are given stand at the last number given."""
    row = (
        await db.rows(
            "SELECT h.seq, h.hold_number, h.account_number, (SELECT coalesce(max(number), 0) FROM suspense), "
            "(SELECT count(*) FROM suspense), (SELECT coalesce(max(number), 0) FROM accounts), "
            "(SELECT count(*) FROM accounts) FROM ledger_head h"
        )
    )[0]
    pairs = (
        ("seq", last_seq, row[0]),
        ("hold_number", row[3], row[1]),
        ("account_number", row[5], row[2]),
        ("rows of suspense numbered without gaps", row[3], row[4]),
        ("accounts numbered without gaps", row[5], row[6]),
    )
    return [
        Difference(CHECK, "ledger_head", what, str(expected), str(found))
        for what, expected, found in pairs
        if expected != found
    ]


async def _identities(db: Snapshot) -> list[Difference]:
    """Each identity is booked at most once and points to its booking; a held one has its row in suspense."""
    found = []
    for row in await db.rows(
        "SELECT identity, count(*) AS times FROM ledger GROUP BY identity HAVING count(*) > 1 LIMIT 1000"
    ):
        found.append(
            Difference(
                CHECK, f"identity {row['identity']}", "bookings of one identity", "1", str(row["times"])
            )
        )
    astray = await db.rows(
        "SELECT i.identity, i.seq, l.source, l.id FROM identities i LEFT JOIN ledger l ON l.seq = i.seq "
        "WHERE i.seq IS NOT NULL AND l.identity IS DISTINCT FROM i.identity LIMIT 100000"
    )
    found += [one for row in astray if (one := astray_difference(*row)) is not None]
    for row in await db.rows(
        "SELECT l.seq, i.identity, i.seq AS points_to, r.seq AS replaced FROM ledger l "
        "LEFT JOIN identities i ON i.identity = l.identity LEFT JOIN ledger r ON r.seq = i.seq AND r.source = l.source "
        "AND r.id = l.id || '~2' WHERE i.seq IS DISTINCT FROM l.seq LIMIT 100000"
    ):
        if row["replaced"] is None:
            points = "no identity" if row["identity"] is None else f"seq {row['points_to']}"
            found.append(
                Difference(CHECK, f"seq {row['seq']}", "its identity points to", f"seq {row['seq']}", points)
            )
    for row in await db.rows(
        "SELECT i.identity FROM identities i WHERE i.seq IS NULL "
        "AND NOT EXISTS (SELECT FROM suspense s WHERE s.identity = i.identity) LIMIT 1000"
    ):
        found.append(Difference(CHECK, f"identity {row[0]}", "claimed", "booked or in suspense", "neither"))
    return found


def astray_difference(identity: UUID, seq: int, source: str | None, id: str | None) -> Difference | None:
    """An identity may point to another's booking only after `replace`: then it means the content booked as `<id>~2`."""
    if source is not None and id is not None:
        if id.endswith("~2") and identity_of(source, id[:-2]) == identity:
            return None
        return Difference(CHECK, f"identity {identity}", f"seq {seq}", "its own booking", f"{source} {id}")
    return Difference(CHECK, f"identity {identity}", f"seq {seq}", "a booking", "none")


class NamedSale(NamedTuple):
    """A sale that reversals name: what they took by the ledger, what is noted, and what there was to take."""

    identity: UUID
    reversed_fen: int | None
    noted_fen: int | None
    takers: frozenset[tuple[int, int]]
    """(account, line) of the reversals: the lowest of each and the highest of each."""
    sales: frozenset[tuple[int, int, int]]
    """(account, line, fen) booked under the identity: one, or two after `replace`."""


def reversal_differences(sale: NamedSale) -> list[Difference]:
    """TIE-4: reversals that name a sale never exceed it, and are of its account and line."""
    where = f"sale {sale.identity}"
    taken, noted = sale.reversed_fen or 0, sale.noted_fen or 0
    found = []
    if taken != noted:
        found.append(Difference(CHECK, where, "reversed by name", yuan(taken), yuan(noted)))
    if not sale.sales:
        found.append(Difference(CHECK, where, "sale that reversals name", "booked", "none"))
        return found
    # Before `replace` the first content was the limit and after it the second.
    most = max(fen for _, _, fen in sale.sales)
    if taken > most:
        found.append(Difference(CHECK, where, "reversed in all", f"at most {yuan(most)}", yuan(taken)))
    accounts, lines = {account for account, _, _ in sale.sales}, {line for _, line, _ in sale.sales}
    strangers = [taker for taker in sale.takers if taker[0] not in accounts or taker[1] not in lines]
    if strangers:
        found.append(
            Difference(
                CHECK, where, "account and line of its reversals", "the sale's", str(sorted(strangers))
            )
        )
    return found


_REVERSALS = """
    WITH named AS (
        SELECT reverses AS identity, sum(-amount_fen)::bigint AS fen, min(account) AS account, min(line) AS line,
               max(account) AS other_account, max(line) AS other_line
        FROM ledger WHERE reverses IS NOT NULL GROUP BY reverses
    ), every AS (SELECT identity FROM named UNION SELECT identity FROM sale_reversals)
    SELECT e.identity, n.fen, r.reversed_fen, n.account, n.line, n.other_account, n.other_line,
           own.account, own.line, own.amount_fen, meant.account, meant.line, meant.amount_fen
    FROM every e
    LEFT JOIN named n USING (identity)
    LEFT JOIN sale_reversals r USING (identity)
    LEFT JOIN ledger own ON own.identity = e.identity AND own.kind = 'sale'
    LEFT JOIN identities i ON i.identity = e.identity
    LEFT JOIN ledger meant ON meant.seq = i.seq AND meant.kind = 'sale'
"""


async def _reversals(db: Snapshot, merges: Merges) -> list[Difference]:
    found: list[Difference] = []
    async for rows in db.chunks(_REVERSALS):
        for row in rows:
            # A reversal under the survivor's account may take from a sale of an alias (TIE-14).
            takers = frozenset((merges.root(row[at]), row[at + 1]) for at in (3, 5) if row[at] is not None)
            sales = frozenset(
                (merges.root(row[at]), row[at + 1], row[at + 2]) for at in (7, 10) if row[at] is not None
            )
            found += reversal_differences(NamedSale(row[0], row[1], row[2], takers, sales))
    return found
