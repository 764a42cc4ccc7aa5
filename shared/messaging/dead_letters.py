"""Messages that were given up: a row until a person disposes of it, and the record byte for byte on a topic.

Giving up cannot fail for what arrives. A record that the dead-letter topic would not take stands in its row alone, and a
stub on the topic says where; a row keeps `KEPT_BYTES` whole, and of more the beginning of each part with length and
SHA-256. Of one partition and one minute of the broker's clock so many letters are kept one by one (`PER_MINUTE`,
`BYTES_PER_MINUTE`); what fails beyond them is one row more, which names the range of offsets, for the records themselves
lie at those offsets of the topic until it expires. All of this is decided from the record and what is stored, so that
neither the size of batches nor a rewinding shows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.operation_v1 import DISPOSED
from shared.contracts.topics import BY_NAME, dead_letter_topic
from shared.kernel.refusals import Kind, Refusal
from shared.messaging.metrics import DEAD_LETTERS
from shared.messaging.records import (
    Headers,
    Outgoing,
    Record,
    decode_headers,
    encode_headers,
    limit_of,
    size_of,
)
from shared.messaging.work import DeadLetter, Work

KEPT_BYTES: Final = 4 * 1024 * 1024
"""A record so long, key, value and headers together, is kept whole in its row: twice what the topic takes."""
PART_BYTES: Final = 64 * 1024
"""How much of each part is kept of a longer record, and how long a key may be to stand in a stub."""
PER_MINUTE: Final = 1000
BYTES_PER_MINUTE: Final = 64 * 1024 * 1024
"""What is kept one by one of one partition and minute."""

Place = tuple[str, int, int]
Cut = dict[str, dict[str, Any]]


@dataclass(slots=True)
class _Range:
    """The row for everything of one partition and minute that is not kept one by one."""

    first: int
    last: int
    reason: str
    reasons: Counter[str]
    id: int | None = None
    widened: bool = False

    def take(self, first: int, last: int, records: int, reason: str) -> bool:
        """Whether these offsets are new to it."""
        if self.first <= first and last <= self.last:
            return False
        self.first, self.last = min(self.first, first), max(self.last, last)
        self.reasons[reason] += records
        self.widened = True
        return True

    @property
    def records(self) -> int:
        return self.reasons.total()

    @property
    def detail(self) -> str:
        return (
            f"{self.records} further records of this partition and minute, offsets {self.first} to {self.last}, which the"
            " topic holds until they expire: rewind the consumer to read them again"
        )


@dataclass(slots=True)
class _Minute:
    """What is stored of one partition and minute."""

    kept: int = 0
    bytes: int = 0
    range: _Range | None = None

    def has_room(self, length: int) -> bool:
        if self.range is not None or self.kept >= PER_MINUTE:
            return False
        return self.kept == 0 or self.bytes + length <= BYTES_PER_MINUTE


@dataclass(slots=True)
class _Kept:
    """One letter as its row holds it."""

    letter: DeadLetter
    key: bytes | None
    value: bytes | None
    headers: bytes
    cut: Cut | None
    length: int = field(init=False)

    def __post_init__(self) -> None:
        self.length = len(self.key or b"") + len(self.value or b"") + len(self.headers)


async def flush(work: Work) -> None:
    """Write the rows; publish only those that are new, so that a rewound consumer publishes nothing twice."""
    if not work.dead_letters:
        return
    db = await work.raw()
    stored = await _stored(db, work)
    minutes = await _minutes(db, work)
    kept: list[_Kept] = []
    counted: Counter[str] = Counter()
    for letter in work.dead_letters:
        place = _place(letter.record)
        if place in stored:
            continue
        stored.add(place)
        row, records = _row_of(letter), _records(letter.record)
        minute = minutes[_minute(letter.record)]
        if minute.has_room(row.length):
            minute.kept, minute.bytes = minute.kept + 1, minute.bytes + row.length
            kept.append(row)
        elif minute.range is None:
            first, last = place[2], letter.record.offset
            minute.range = _Range(first, last, letter.reason, Counter({letter.reason: records}), widened=True)
        elif not minute.range.take(place[2], letter.record.offset, records, letter.reason):
            continue
        counted[letter.reason] += records
    await _insert(db, work, kept)
    for (topic, partition, minute_number), minute in minutes.items():
        if minute.range is not None and minute.range.widened:
            await _store_range(db, work, topic, partition, minute_number, minute.range)
    work.after_commit(lambda: _count(counted))


def _count(counted: Counter[str]) -> None:
    for reason, number in counted.items():
        DEAD_LETTERS.labels(reason).inc(number)


def _place(record: Record) -> Place:
    first = record.offset if record.first_offset is None else record.first_offset
    return record.topic, record.partition, first


def _records(record: Record) -> int:
    return 1 if record.first_offset is None else record.offset - record.first_offset + 1


def _minute(record: Record) -> Place:
    return record.topic, record.partition, record.timestamp_ms // 60_000


def _row_of(letter: DeadLetter) -> _Kept:
    record = letter.record
    headers = encode_headers(record.headers)
    parts = {"key": record.key or b"", "value": record.value or b"", "headers": headers}
    if sum(map(len, parts.values())) <= KEPT_BYTES:
        return _Kept(letter, record.key, record.value, headers, None)
    cut = {
        name: {"length": len(part), "sha256": hashlib.sha256(part).hexdigest()}
        for name, part in parts.items()
        if len(part) > PART_BYTES
    }
    return _Kept(
        letter,
        None if record.key is None else record.key[:PART_BYTES],
        None if record.value is None else record.value[:PART_BYTES],
        headers if "headers" not in cut else encode_headers(_first_headers(record.headers)),
        cut,
    )


def _first_headers(headers: Headers) -> Iterable[tuple[str, bytes | None]]:
    """As many whole headers from the first on as have room."""
    room = PART_BYTES
    for name, value in headers:
        room -= len(encode_headers([(name, value)]))
        if room < 0:
            return
        yield name, value


_STORED: Final = """
    SELECT d.topic, d.partition, d."offset" FROM unnest($2::text[], $3::int[], $4::bigint[]) AS w (topic, partition, at)
    JOIN dead_letters d ON d.consumer = $1 AND d.topic = w.topic AND d.partition = w.partition AND d."offset" = w.at
"""


async def _stored(db: Any, work: Work) -> set[Place]:
    """Those of the letters whose row is there already."""
    places = [_place(letter.record) for letter in work.dead_letters]
    return {
        tuple(row) for row in await db.fetch(_STORED, work.consumer, *map(list, zip(*places, strict=True)))
    }


_MINUTES: Final = """
    SELECT w.topic, w.partition, w.minute, count(d.id) FILTER (WHERE d.reasons IS NULL),
           coalesce(sum(octet_length(coalesce(d.key, '')) + octet_length(coalesce(d.value, ''))
                        + octet_length(d.headers)), 0)::bigint
    FROM unnest($2::text[], $3::int[], $4::bigint[]) AS w (topic, partition, minute)
    LEFT JOIN dead_letters d ON d.consumer = $1 AND d.topic = w.topic AND d.partition = w.partition
                            AND d.minute = w.minute
    GROUP BY 1, 2, 3
"""
_RANGES: Final = """
    SELECT w.topic, w.partition, w.minute, d.id, d."offset", d.last_offset, d.reason, d.reasons::text
    FROM unnest($2::text[], $3::int[], $4::bigint[]) AS w (topic, partition, minute)
    JOIN dead_letters d ON d.consumer = $1 AND d.topic = w.topic AND d.partition = w.partition
                       AND d.minute = w.minute AND d.reasons IS NOT NULL
"""


async def _minutes(db: Any, work: Work) -> dict[Place, _Minute]:
    """What is stored of every partition and minute that the letters come from."""
    wanted = list(map(list, zip(*{_minute(letter.record) for letter in work.dead_letters}, strict=True)))
    found = {
        (topic, partition, minute): _Minute(kept, held)
        for topic, partition, minute, kept, held in await db.fetch(_MINUTES, work.consumer, *wanted)
    }
    for topic, partition, minute, number, first, last, reason, reasons in await db.fetch(
        _RANGES, work.consumer, *wanted
    ):
        found[topic, partition, minute].range = _Range(
            first, last, reason, Counter(orjson.loads(reasons)), number
        )
    return found


_INSERT: Final = """
    INSERT INTO dead_letters (consumer, reason, detail, topic, partition, "offset", last_offset, records, key, value,
                              headers, cut, minute, failed_at)
    SELECT $1, reason, detail, topic, partition, at, last, records, key, value, headers, cut::jsonb, minute, $2
    FROM unnest($3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::bigint[], $9::int[], $10::bytea[],
                $11::bytea[], $12::bytea[], $13::text[], $14::bigint[])
         WITH ORDINALITY AS l (reason, detail, topic, partition, at, last, records, key, value, headers, cut, minute, n)
    ORDER BY n
    RETURNING id, topic, partition, "offset"
"""


async def _insert(db: Any, work: Work, kept: list[_Kept]) -> None:
    if not kept:
        return
    columns = zip(
        *(
            (
                row.letter.reason,
                _printable(row.letter.detail),
                *_place(row.letter.record),
                None if row.letter.record.first_offset is None else row.letter.record.offset,
                _records(row.letter.record),
                row.key,
                row.value,
                row.headers,
                None if row.cut is None else orjson.dumps(row.cut).decode(),
                _minute(row.letter.record)[2],
            )
            for row in kept
        ),
        strict=True,
    )
    inserted = await db.fetch(_INSERT, work.consumer, work.now, *map(list, columns))
    ids = {(topic, partition, offset): number for number, topic, partition, offset in inserted}
    for row in kept:
        work.publish(published(work.service, row.letter, work.now, ids[_place(row.letter.record)]))


_INSERT_RANGE: Final = """
    INSERT INTO dead_letters (consumer, reason, detail, topic, partition, "offset", last_offset, records, reasons, headers,
                              minute, failed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, '', $10, $11) RETURNING id
"""
_WIDEN_RANGE: Final = """
    UPDATE dead_letters SET detail = $2, "offset" = $3, last_offset = $4, records = $5,
           reasons = $6::text::jsonb, state = 'open', decided_by = NULL, decided_at = NULL
    WHERE id = $1
"""


async def _store_range(db: Any, work: Work, topic: str, partition: int, minute: int, range_: _Range) -> None:
    reasons = orjson.dumps(range_.reasons).decode()
    if range_.id is not None:
        await db.execute(
            _WIDEN_RANGE, range_.id, range_.detail, range_.first, range_.last, range_.records, reasons
        )
        return
    number = await db.fetchval(
        _INSERT_RANGE, work.consumer, range_.reason, range_.detail, topic, partition, range_.first, range_.last,
        range_.records, reasons, minute, work.now,
    )  # fmt: skip
    # Published once, when the range begins, and without its end: how far it goes depends on batches until it is whole.
    headers = _said(
        range_.reason,
        "further records of this partition and minute fail; the row of this dead letter names their offsets",
        (topic, partition, range_.first),
        work.now,
    )
    row = ("x-dead-letter", f"{work.service}:{number}".encode())
    work.publish(
        Outgoing(dead_letter_topic(work.service), None, None, (*headers, ("x-range", b"begins"), row))
    )


def _printable(detail: str) -> str:
    """As the database takes it."""
    return detail.replace("\x00", "\\x00").encode("utf-8", "replace").decode()


def _said(reason: str, detail: str, place: Place, failed_at: datetime) -> Headers:
    topic, partition, offset = place
    return (
        ("x-reason", reason.encode()),
        ("x-detail", detail.encode("utf-8", "replace")),
        ("x-origin-topic", topic.encode()),
        ("x-origin-partition", str(partition).encode()),
        ("x-origin-offset", str(offset).encode()),
        ("x-failed-at", failed_at.isoformat().encode()),
    )


def published(service: str, letter: DeadLetter, failed_at: datetime, number: int) -> Outgoing:
    """The record of the dead-letter topic: the original's key, value and headers, and ours after them, so that of
    double names (a dead letter that failed again) the last one is the current one.

    What the topic would not take is a stub: no value, none of the original's headers, and its key where that is short;
    `x-dead-letter` names the row that has them. A whole batch is a stub too, for its bytes are no record."""
    record, topic = letter.record, dead_letter_topic(service)
    headers = _said(letter.reason, letter.detail, _place(record), failed_at)
    if record.first_offset is None:
        whole = Outgoing(topic, record.key, record.value, (*record.headers, *headers))
        if size_of(whole) <= limit_of(topic):
            return whole
    value = record.value or b""
    stub: list[tuple[str, bytes | None]] = [
        ("x-dead-letter", f"{service}:{number}".encode()),
        ("x-length", str(len(value)).encode()),
        ("x-sha256", hashlib.sha256(value).hexdigest().encode()),
    ]
    if record.first_offset is None:
        stub.insert(0, ("x-cut", b"value, headers"))
    else:
        stub.insert(0, ("x-last-offset", str(record.offset).encode()))
    key = record.key if record.key is None or len(record.key) <= PART_BYTES else None
    return Outgoing(topic, key, None, (*headers, *stub))


class Row(NamedTuple):
    """A dead letter as it is kept."""

    id: int
    consumer: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    failed_at: datetime
    state: Literal["open", "replayed", "closed"]
    decided_by: str | None
    decided_at: datetime | None
    last_offset: int | None = None
    """Of a row that stands for more than one record: a batch that was not unpacked, or what one minute had too much."""
    records: int = 1
    reasons: dict[str, int] | None = None
    """How many records of a minute's range failed for which reason."""
    cut: Cut | None = None
    """The parts of which only the beginning is kept, with their true `length` and `sha256`."""


_ABOUT = "failed_at, state, decided_by, decided_at, last_offset, records, reasons, cut"
_COLUMNS = f'id, consumer, reason, detail, topic, partition, "offset", key, value, headers, {_ABOUT}'
_WITHOUT_BYTES = (
    "id, consumer, reason, detail, topic, partition, \"offset\", NULL::bytea, NULL::bytea, ''::bytea, "
    + _ABOUT
)


def _row(found: Any) -> Row:
    values = list(found)
    values[9] = decode_headers(values[9])
    return Row(*values)


async def listed(
    connection: AsyncConnection, state: str | None = "open", after: int = 0, limit: int = 100
) -> list[Row]:
    """A page in the order of failing, without the messages' bytes, of which a thousand could be as many gigabytes; `after`
    is the last id of the page before, `state` None means all."""
    rows = await connection.execute(
        text(
            f"SELECT {_WITHOUT_BYTES} FROM dead_letters WHERE id > :after "
            "AND (CAST(:state AS text) IS NULL OR state = :state) ORDER BY id LIMIT :limit"
        ),
        {"after": after, "state": state, "limit": limit},
    )
    return [_row(row) for row in rows]


async def one(connection: AsyncConnection, letter_id: int) -> Row | None:
    row = (
        await connection.execute(
            text(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = :id"), {"id": letter_id}
        )
    ).first()
    return None if row is None else _row(row)


@dataclass(frozen=True, slots=True)
class DeadLetterRefusal(Refusal):
    """Why nothing is done about a dead letter; `number` is shown in the sentence."""

    number: int

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class UnknownDeadLetter(DeadLetterRefusal):
    """There is no dead letter of this number."""

    code: ClassVar[str] = "dead_letter_unknown"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class DeadLetterDecided(DeadLetterRefusal):
    """It has been disposed of."""

    code: ClassVar[str] = "dead_letter_already_decided"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class NotOurTopic(DeadLetterRefusal):
    """It came from a topic of another service, which has to send it again."""

    code: ClassVar[str] = "dead_letter_not_our_topic"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class StandsForRange(DeadLetterRefusal):
    """It stands for records that only their topic has."""

    code: ClassVar[str] = "dead_letter_range"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class NotKeptWhole(DeadLetterRefusal):
    """It was too large to be kept whole."""

    code: ClassVar[str] = "dead_letter_cut"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class TooLargeForTopic(DeadLetterRefusal):
    """It is larger than its topic takes."""

    code: ClassVar[str] = "dead_letter_too_large"
    kind: ClassVar[Kind] = "conflict"


async def replay(
    work: Work, letter_id: int, decided_by: str, value: bytes | None = None
) -> Row | DeadLetterRefusal:
    """Send the message back to the topic it came from, with a corrected value if one is given.

    Only where this service may produce to that topic; elsewhere the way back is to rewind the consumer. The original
    stays in its row.
    """
    row = await one(work.connection, letter_id)
    if row is None:
        return UnknownDeadLetter(letter_id)
    topic = BY_NAME.get(row.topic)
    if topic is None or work.service not in topic.producers:
        return NotOurTopic(letter_id)
    if row.last_offset is not None:
        return StandsForRange(letter_id)
    if row.cut is not None and (value is None or row.cut.keys() != {"value"}):
        return NotKeptWhole(letter_id)
    back = Outgoing(row.topic, row.key, row.value if value is None else value, row.headers)
    if size_of(back) > limit_of(row.topic):
        return TooLargeForTopic(letter_id)
    if not await decide(work, letter_id, "replayed", decided_by):
        return DeadLetterDecided(letter_id)
    work.publish(back)
    return row


async def decide(work: Work, letter_id: int, state: Literal["replayed", "closed"], decided_by: str) -> bool:
    """Dispose of an open dead letter and tell others so; False where it is not open (any more)."""
    done = await work.connection.execute(
        text(
            "UPDATE dead_letters SET state = :state, decided_by = :decided_by, decided_at = :now "
            "WHERE id = :id AND state = 'open' RETURNING consumer, topic, partition, \"offset\""
        ),
        {"state": state, "decided_by": decided_by, "now": work.now, "id": letter_id},
    )
    row = done.first()
    if row is None:
        return False
    told = DISPOSED[work.service](
        dead_letter_id=letter_id,
        consumer=row.consumer,
        origin_topic=row.topic,
        origin_partition=row.partition,
        origin_offset=row.offset,
        state=state,
        decided_by=decided_by,
        decided_at=work.now,
    )
    # A dead letter is disposed of once, so the id says which event this is however often the request comes.
    key, content, headers = told.outgoing(id=f"dead-letter|{work.service}|{letter_id}|{state}", time=work.now)
    work.publish(Outgoing(told.TOPIC, key, content, headers))
    return True
