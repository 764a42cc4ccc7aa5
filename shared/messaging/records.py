"""What crosses Kafka: a record as it arrived, a record to be published, and header lists as bytes for the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import Struct
from typing import Any, NamedTuple

from shared.contracts.topics import BY_NAME, RECORD_BYTES

Headers = tuple[tuple[str, bytes | None], ...]
"""Names in the order they came, doubles kept, a null value apart from an empty one. A name that was not UTF-8 carries
its raw bytes as lone surrogates (`surrogateescape`), so that nothing is lost between arrival and dead letter."""

_LENGTH = Struct(">i")


class Record(NamedTuple):
    """One record as it arrived. A null key or value (`None`) is kept apart from an empty one (`b""`).

    A named tuple rather than a frozen dataclass: it is made ten thousand times a batch, and a frozen dataclass pays
    one `object.__setattr__` call for each field.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    oversized: str | None = None
    """Why it is too large to be handled; it goes to the dead letters, and no handler sees it."""
    first_offset: int | None = None
    """Set on what stands for a whole batch that was not unpacked: `offset` is that of its last record, this of its first,
    and the value is the batch as it came."""


class Outgoing(NamedTuple):
    """One record to be published by the relay after the transaction has committed."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def header(record: Record, name: str) -> bytes | None:
    """The last value under `name`, or None: of double names the last one counts."""
    found: bytes | None = None
    for key, value in record.headers:
        if key == name:
            found = value
    return found


def encode_headers(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Length-prefixed names and values; length -1 is a null value. JSON would lose bytes that are not text."""
    parts: list[bytes] = []
    for name, value in headers:
        raw = name.encode("utf-8", "surrogateescape")
        parts += (_LENGTH.pack(len(raw)), raw)
        parts += (_LENGTH.pack(-1),) if value is None else (_LENGTH.pack(len(value)), value)
    return b"".join(parts)


def decode_headers(encoded: bytes) -> Headers:
    """The reverse of `encode_headers`."""
    headers: list[tuple[str, bytes | None]] = []
    at = 0
    while at < len(encoded):
        (size,) = _LENGTH.unpack_from(encoded, at)
        name = encoded[at + 4 : at + 4 + size].decode("utf-8", "surrogateescape")
        at += 4 + size
        (size,) = _LENGTH.unpack_from(encoded, at)
        at += 4
        value = None if size < 0 else bytes(encoded[at : at + size])
        at += max(size, 0)
        headers.append((name, value))
    return tuple(headers)


_NEVER = 2**63


def known(records: Iterable[Record], expected: Mapping[Any, int]) -> list[Record]:
    """Those records only that are next: of partitions whose position is known, and not below it.

    A fetch that was under way when partitions moved or a person rewound can bring others; they are dropped here
    and either come again or are done already.
    """
    following: list[Record] = []
    add = following.append
    topic: str | None = None
    partition = -1
    limit = _NEVER
    for record in records:
        # Records come in runs of one partition, so its limit is looked up once a run.
        if record.partition != partition or record.topic != topic:
            topic, partition = record.topic, record.partition
            limit = expected.get((topic, partition), _NEVER)
        if record.offset >= limit:
            add(record)
    return following


class OversizedError(ValueError):
    """An outgoing record that its topic would never take."""


def wire_name(name: str) -> str:
    """A header's name as the publishing client takes it: names are C strings in UTF-8 there, so that bytes which are no
    text, and NUL, are written as `\\xff`. The exact name stays in the row of the dead letter."""
    if name.isascii() and "\0" not in name:
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def size_of(outgoing: Outgoing) -> int:
    """An upper bound of the record's size on the wire, in bytes."""
    total = len(outgoing.key or b"") + len(outgoing.value or b"") + 100
    for name, value in outgoing.headers:
        total += len(wire_name(name).encode()) + len(value or b"") + 10
    return total


def raw_length(record: Record) -> int:
    """The bytes of the record's key, value and headers as they came."""
    return (
        len(record.key or b"")
        + len(record.value or b"")
        + sum(
            len(name.encode("utf-8", "surrogateescape")) + len(value or b"") for name, value in record.headers
        )
    )


def limit_of(topic: str) -> int:
    """The largest record that the topic takes, in bytes."""
    known_topic = BY_NAME.get(topic)
    return int(known_topic.config.get("max.message.bytes", RECORD_BYTES)) if known_topic else RECORD_BYTES


def check_size(outgoing: Outgoing) -> None:
    """Refuse what the topic cannot take before it is committed: one row that the broker refuses for ever would stop
    the relay, and with it every record behind it."""
    limit, size = limit_of(outgoing.topic), size_of(outgoing)
    if size > limit:
        raise OversizedError(f"a record of about {size} bytes for {outgoing.topic}, which takes {limit}")
