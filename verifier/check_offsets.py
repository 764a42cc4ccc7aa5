"""Nothing that arrived is lost or invented (TIE-1, PLT-2, invariants I1 and I8).

Proved record by record over `counter.transactions.v1` and the topics that counter systems have of their own beside it, as
far as they reach and tiering has read them: each record
is booked, or held, or a repetition of one that is, or a dead letter with the same bytes; and, while the topic still has
its beginning, each booking has its record. Contents are compared field by field and not by the services' hash.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Final, NamedTuple
from uuid import UUID

from verifier.events import Said, UnreadableError, read_event, said_of, transaction_of
from verifier.report import Difference, Report
from verifier.snapshot import Row, Snapshot
from verifier.sources import Sources, positions
from verifier.topics import Record
from verifier.words import LINES, TRANSACTIONS, identity_of

CHECK: Final = "transactions topic"


class Arrival(NamedTuple):
    """A readable transaction with its identity."""

    record: Record
    source: str
    id: str
    identity: UUID
    said: Said


class Kept(NamedTuple):
    """What is kept under an identity: the booking it points to, and everything that was ever held."""

    seq: int | None
    booked: tuple[object, ...] | None
    held: tuple[Said, ...] = ()
    evidence: tuple[object, ...] | None = None
    """None where the booking has none at all: of bookings made by an earlier version it was not kept."""


def arrival_of(record: Record) -> Arrival | None:
    """The transaction of a record; None when it carries none."""
    try:
        event = read_event(record)
        said = transaction_of(event)
    except UnreadableError:
        return None
    return Arrival(record, event.source, event.id, identity_of(event.source, event.id), said)


def accounted(arrival: Arrival, kept: Kept | None) -> bool:
    """Whether what is kept under its identity says the same as the record."""
    if kept is None:
        return False
    if kept.booked == arrival.said.kept and kept.evidence in (None, arrival.said.evidence):
        return True
    return arrival.said in kept.held


def digest_of(key: bytes | None, value: bytes | None) -> bytes:
    """A record's bytes in short; null and empty are told apart."""
    parts = [b"-" if part is None else b"%d:%b" % (len(part), part) for part in (key, value)]
    return blake2b(b"".join(parts), digest_size=16).digest()


class Span(NamedTuple):
    """A dead letter that stands for many records: a whole batch, or what one minute had too much (`whole` False), between
    whose offsets good records may lie."""

    topic: str
    partition: int
    first: int
    last: int
    whole: bool

    def holds(self, record: Record) -> bool:
        at = (record.topic, record.partition)
        return at == (self.topic, self.partition) and self.first <= record.offset <= self.last


@dataclass(slots=True)
class Tally:
    """What became of the records, and which bookings were met."""

    met: bytearray
    dead: dict[tuple[str, int, int], bytes]
    spans: list[Span] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    found: list[Difference] = field(default_factory=list)

    def dead_letter(self, record: Record) -> bool:
        """Whether the record became a dead letter; its bytes must have been kept."""
        if any(span.whole and span.holds(record) for span in self.spans):
            self.counted["dead letters"] += 1
            return True
        digest = self.dead.get((record.topic, record.partition, record.offset))
        if digest is None:
            return False
        self.counted["dead letters"] += 1
        value = record.value or b""
        if digest not in (
            digest_of(record.key, record.value),
            digest_of(record.key, sha256(value).hexdigest().encode()),
        ):
            self.differs(record, "bytes of the dead letter", "those of the record", "others")
        return True

    def in_a_range(self, record: Record) -> bool:
        """Whether the record may be one of those that a row names only by their offsets."""
        if not any(span.holds(record) for span in self.spans):
            return False
        self.counted["dead letters named by a range"] += 1
        return True

    def meet(self, seq: int) -> None:
        if seq < len(self.met):
            self.counted["repeated records" if self.met[seq] else "booked records"] += 1
            self.met[seq] = 1

    def differs(self, record: Record, what: str, expected: str, found: str) -> None:
        self.found.append(Difference(CHECK, record.place, what, expected, found))


async def check_offsets(sources: Sources, report: Report) -> None:
    """Every record that tiering has read."""
    db = sources.database("tiering")
    if db is None or sources.topics is None or not sources.ends.get(TRANSACTIONS):
        report.notice(f"{TRANSACTIONS} was not compared: it or its database is not there")
        return
    topics = [
        topic for topic in sources.ends if topic == TRANSACTIONS or topic.startswith(f"{TRANSACTIONS}.")
    ]
    last = await db.value("SELECT coalesce(max(seq), 0) FROM ledger")
    tally = Tally(bytearray(last + 1), *await _dead_letters(db, topics))
    for topic in topics:
        read_to = await positions(db, topic)
        async for records in sources.topics.read(topic, list(sources.ends[topic])):
            if not records:
                break
            mine = [one for one in records if one.offset < read_to.get(one.partition, 0)]
            await _account_for(db, tally, mine)
    for what, number in tally.counted.items():
        report.count(what, number)
    report.add(tally.found)
    if all(map(sources.from_beginning, topics)):
        report.add(await _invented(db, tally.met))
    else:
        report.notice(f"{TRANSACTIONS} no longer has its beginning: older bookings were not looked for in it")


_DEAD: Final = """
    SELECT topic, partition, "offset", last_offset, reasons IS NULL AS whole, key, value, cut #>> '{value,sha256}' AS cut_value
    FROM dead_letters WHERE topic = ANY($1::text[])
"""


async def _dead_letters(
    db: Snapshot, topics: Sequence[str]
) -> tuple[dict[tuple[str, int, int], bytes], list[Span]]:
    """Those that stand for one record, by its place, and the others. Of one whose value is cut the hash that its row names
    stands for the value."""
    dead: dict[tuple[str, int, int], bytes] = {}
    spans: list[Span] = []
    for topic, partition, offset, last, whole, key, value, cut_value in await db.rows(_DEAD, topics):
        if last is not None:
            spans.append(Span(topic, partition, offset, last, whole))
        else:
            dead[topic, partition, offset] = digest_of(
                key, value if cut_value is None else cut_value.encode()
            )
    return dead, spans


async def _account_for(db: Snapshot, tally: Tally, records: Sequence[Record]) -> None:
    arrivals = []
    for record in records:
        if tally.dead_letter(record):
            continue
        arrival = arrival_of(record)
        if arrival is not None:
            arrivals.append(arrival)
        elif record.headers is None:
            tally.counted["records this reader cannot judge"] += 1
        elif not tally.in_a_range(record):
            tally.differs(record, "unreadable record", "a dead letter", "none")
    kept = await _booked(db, {one.identity for one in arrivals})
    rest = [one for one in arrivals if not _meet(tally, one, kept)]
    if not rest:
        return
    held = await _held(db, {one.identity for one in rest})
    rest = [one for one in rest if one.said not in held.get(one.identity, ())]
    undone = await _booked(db, {identity_of(one.source, f"{one.id}~1") for one in rest}) if rest else {}
    for one in rest:
        if not _undone(one, undone.get(identity_of(one.source, f"{one.id}~1"))) and not tally.in_a_range(
            one.record
        ):
            known = kept.get(one.identity)
            found = "neither" if known is None else "something else under its identity"
            tally.differs(one.record, f"{one.source} {one.id}", "booked or held", found)


def _meet(tally: Tally, arrival: Arrival, kept: dict[UUID, Kept]) -> bool:
    known = kept.get(arrival.identity)
    if not accounted(arrival, known) or known is None or known.seq is None:
        return False
    tally.meet(known.seq)
    return True


def _undone(arrival: Arrival, back: Kept | None) -> bool:
    """After `replace` the first content stands in the ledger beside the booking `<id>~1` that undoes it."""
    if back is None or back.booked is None:
        return False
    said = arrival.said
    other = "reversal" if said.kind == "sale" else "sale"
    return back.booked == said._replace(kind=other).kept


_BOOKED: Final = (
    "SELECT i.identity, i.seq, l.customer_code, l.counter_id, l.line, l.kind, l.amount_fen, l.occurred_at, "
    "l.business_date, l.settlement, l.pieces, l.manager_id, l.clerk_id, l.payer_uscc, l.payer_name_hash, l.product, "
    "l.destination FROM identities i LEFT JOIN ledger l ON l.seq = i.seq "
    "WHERE i.identity = ANY($1::uuid[])"
)


async def _booked(db: Snapshot, identities: Iterable[UUID]) -> dict[UUID, Kept]:
    return {
        row[0]: Kept(row[1], _content(row), evidence=_evidence(row))
        for row in await db.rows(_BOOKED, list(identities))
    }


def _evidence(row: Row) -> tuple[object, ...] | None:
    said = tuple(row)[11:]
    return said if any(value is not None for value in said) else None


def _content(row: Row) -> tuple[object, ...] | None:
    if row["kind"] is None:
        return None
    line = LINES[row["line"]] if 0 <= row["line"] < len(LINES) else row["line"]
    # The ledger takes money and volume of a reversal back; the message says both without a sign.
    pieces = None if row["pieces"] is None else abs(row["pieces"])
    return (row[2], row[3], line, row[5], abs(row[6]), *list(row)[7:10], pieces)


async def _held(db: Snapshot, identities: Iterable[UUID]) -> dict[UUID, list[Said]]:
    found: dict[UUID, list[Said]] = {}
    for row in await db.rows(
        "SELECT identity, transaction FROM suspense WHERE identity = ANY($1::uuid[])", list(identities)
    ):
        try:
            found.setdefault(row[0], []).append(said_of(json.loads(row[1])))
        except (UnreadableError, ValueError):
            continue  # Then its record is told as neither booked nor held.
    return found


async def _invented(db: Snapshot, met: bytearray) -> list[Difference]:
    """Bookings that no record of the topic brought. What a steward's `replace` booked has none."""
    missing: list[int] = []
    seq = met.find(0, 1)
    while seq > 0 and len(missing) < 100_000:
        missing.append(seq)
        seq = met.find(0, seq + 1)
    rows = await db.rows(
        "SELECT seq, source, id FROM ledger WHERE seq = ANY($1::bigint[]) ORDER BY seq", missing
    )
    undone = await _booked(db, {identity_of(row[1], f"{row[2]}~1") for row in rows})
    return [
        Difference(CHECK, f"seq {row[0]}", f"{row[1]} {row[2]}", "a record of the topic", "none")
        for row in rows
        if not row[2].endswith(("~1", "~2")) and identity_of(row[1], f"{row[2]}~1") not in undone
    ]
