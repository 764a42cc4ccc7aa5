"""Reading every record that a broker has accepted, whatever its bytes, and no more of them at a time than fits.

A broker does not look at the names of headers, but aiokafka decodes them as UTF-8 while it unpacks a fetched batch.
One name that is not UTF-8 raises there, before any record of ours exists; the position does not move, the same bytes
are fetched again, and the partition stands still for ever. Worse, records of *other* partitions that the same call had
already taken out are thrown away with their positions moved, which loses them silently.

Two answers. A batch that the quick parser refuses is parsed again by a slower one that keeps a name's raw bytes as
lone surrogates. And a fetch that raises for whatever reason is told to the owner of the positions, who then starts
over from what is stored (`OwnedConsumer`).

Nor does aiokafka ask what a batch unpacks to. Here a batch is unpacked under a limit and only when its turn comes, and a
call that has taken `BITE_BYTES` of a partition takes no further batch of it. What is beyond a limit, a batch or a record,
arrives as one `Record` that says so (`oversized`).

All of this replaces parts of aiokafka 0.14.0 that are not its interface; tests name the version and what is relied on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol, cast

import aiokafka
import aiokafka.consumer.fetcher as fetcher
import structlog
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy

from shared.messaging import unpacking
from shared.messaging.records import Record, limit_of, raw_length
from shared.messaging.unpacking import UNPACKED_BYTES

log = structlog.get_logger(__name__)

AIOKAFKA: Final = "0.14.0"
"""The version whose inside was read."""
POLL_MS: Final = 250
BITE_BYTES: Final = 4 * 1024 * 1024
"""So much of a partition, unpacked, and one call takes no further batch of it."""

_QuickRecords: Any = fetcher.MemoryRecords
_Base: Any = fetcher.PartitionRecords
_BaseResult: Any = fetcher.FetchResult
_SlowBatch: Any = _DefaultRecordBatchPy


class _TolerantName(bytes):
    """Header names as the slow parser sees them: text if they are, else text with lone surrogates."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes.decode(self, encoding, "surrogateescape")


class _TolerantBuffer(bytearray):
    """A buffer whose slices decode tolerantly; the parser decodes nothing but header names."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _TolerantName(found) if isinstance(at, slice) else found


def _quick(batch: bytes) -> Any:
    return _QuickRecords(batch).next_batch()


def _tolerant(batch: bytes) -> Any:
    found = _SlowBatch(batch)
    found._buffer = _TolerantBuffer(found._buffer)
    return found


class _Packed:
    """A batch that is not unpacked: everything its header says, and one record in place of all."""

    def __init__(self, raw: memoryview, limit: int) -> None:
        # The quick parser reads the header alone until it is asked for a record.
        self._header = _quick(bytes(raw))
        self.raw = bytes(raw)
        self.offset = self._header.next_offset - 1
        self.detail = (
            f"a batch of {unpacking.count_of(raw)} records in {len(raw)} bytes unpacks to more than {limit}"
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._header, name)

    def __iter__(self) -> Iterator[_Packed]:
        yield self


class _Batches:
    """The batches of a fetch, each checked and unpacked when its turn comes, in place of the client's `MemoryRecords`."""

    def __init__(self, raw: bytes, limit: int) -> None:
        self.raw = raw
        self.check_crcs = True
        self.parse = _quick
        self.begin_bite()
        self.unpacked = 0
        """The length of the batch in hand, unpacked."""
        self._limit = limit
        self._batches = unpacking.batches(memoryview(raw))
        self._next = next(self._batches, None)

    def begin_bite(self) -> None:
        self._left = BITE_BYTES

    def size_in_bytes(self) -> int:
        return len(self.raw)

    def has_next(self) -> bool:
        """Also False when the bite is full: the client then fetches the rest again, from where this one ends."""
        return self._next is not None and self._left > 0

    def next_batch(self) -> Any:
        raw = self._next
        if raw is None:
            return None
        self._next = next(self._batches, None)
        if self.check_crcs:
            unpacking.check_crc(raw)
        return self._open(raw)

    def _open(self, raw: memoryview) -> Any:
        try:
            plain = unpacking.plain(raw, self._limit) if unpacking.codec_of(raw) else bytes(raw)
        except unpacking.TooMuchError:
            self.unpacked = self._limit + 1
            self._left -= len(raw)
            return _Packed(raw, self._limit)
        self.unpacked = len(plain)
        self._left -= self.unpacked
        return self.parse(plain)

    def again(self) -> _Batches:
        """The same fetch from its beginning, for the slow parser."""
        found = _Batches(self.raw, self._limit)
        found.check_crcs, found.parse = self.check_crcs, _tolerant
        return found


def _record(tp: Any, record: Any) -> Record:
    return Record(
        tp.topic,
        tp.partition,
        record.offset,
        record.key,
        record.value,
        tuple(record.headers),
        record.timestamp,
    )


class _TolerantRecords(_Base):  # type: ignore[misc]
    """The records of one partition in one fetch; falls back to the slow parser where the quick one raises."""

    def __init__(
        self,
        tp: Any,
        records: _Batches,
        aborted: Any,
        fetch_offset: int,
        key_deserializer: Any,
        value_deserializer: Any,
        check_crcs: bool,
        isolation_level: int,
    ) -> None:
        records.check_crcs = check_crcs
        self._records: _Batches
        self._all_aborted = sorted(aborted or [], key=lambda pair: pair[1])
        self._record_bytes = limit_of(tp.topic)
        # An unpacked batch has no checksum any more; `_Batches` looks at the one it came with.
        super().__init__(
            tp, records, aborted, fetch_offset, key_deserializer, value_deserializer, False, isolation_level
        )

    def begin_bite(self) -> None:
        self._records.begin_bite()

    def _consumer_record(self, tp: Any, record: Any) -> Record:
        """Our own record at once: the client's has fields that nobody reads, and making both takes twice as long."""
        if self._records.unpacked > self._record_bytes:
            return self._measured(tp, record)
        return _record(tp, record)

    def _measured(self, tp: Any, record: Any) -> Record:
        """A record of a batch that is longer than a record may be, or such a batch itself."""
        if isinstance(record, _Packed):
            return Record(
                tp.topic,
                tp.partition,
                record.offset,
                None,
                record.raw,
                (),
                record.max_timestamp,
                record.detail,
                record.base_offset,
            )
        found = _record(tp, record)
        length = raw_length(found)
        if length <= self._record_bytes:
            return found
        return found._replace(
            oversized=f"the record has {length} bytes, and one of {tp.topic} has {self._record_bytes} at most"
        )

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except (CorruptRecordException, UnicodeDecodeError):
            if self._records.parse is _tolerant:
                raise
            # From the beginning of the fetch: what was already handed out lies below `next_fetch_offset` and is
            # skipped, and the list of aborted transactions is walked anew.
            self._records = self._records.again()
            self._aborted_transactions = list(self._all_aborted)
            self._aborted_producers: set[int] = set()
            self._records_iterator = self._unpack_records()
            log.warning(
                "a batch was read by the tolerant parser", topic=self._tp.topic, partition=self._tp.partition
            )
            return super().__next__()


class _BittenResult(_BaseResult):  # type: ignore[misc]
    """What one fetch brought of a partition; each call that takes of it begins a bite."""

    def getall(self, max_records: int | None = None) -> list[Record]:
        if self._partition_records is not None:
            self._partition_records.begin_bite()
        found: list[Record] = super().getall(max_records)
        return found


def install(unpacked_bytes: int | None = None) -> None:
    """Have aiokafka's fetcher build these instead of its own; it looks the names up in its module each time. The limit of
    a batch is one for the whole process; without a number it stays as it is."""
    global _unpacked_bytes
    _unpacked_bytes = unpacked_bytes or _unpacked_bytes
    module = cast(Any, fetcher)
    module.MemoryRecords = _batches
    module.PartitionRecords = _TolerantRecords
    module.FetchResult = _BittenResult


_unpacked_bytes = UNPACKED_BYTES


def _batches(raw: bytes) -> _Batches:
    return _Batches(raw, _unpacked_bytes)


class FetchOwner(Protocol):
    """Who keeps the positions."""

    def attached(self, consumer: OwnedConsumer) -> None: ...
    async def before_fetch(self) -> None: ...
    def fetched(self) -> None: ...
    def fetch_failed(self) -> None: ...
    async def nothing_fetched(self) -> None: ...


class OwnedConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, telling the owner of the positions what happens, in the task that handles the batches."""

    def __init__(self, *args: Any, owner: FetchOwner, unpacked_bytes: int, **options: Any) -> None:
        install(unpacked_bytes)
        self._owner = owner
        super().__init__(*args, **options)
        owner.attached(self)

    def fetching_has_ended(self) -> bool:
        """Whether the client's own fetching task has died; it is never started again, and polling goes on finding
        nothing, without a word."""
        return bool(self._fetcher.error_future.done())

    async def getmany(self, *partitions: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        owner = self._owner
        await owner.before_fetch()
        try:
            # FastStream sleeps for its batch timeout after an empty poll, so that one is set to a millisecond and the
            # waiting is done here, where a record that arrives ends it at once.
            batches = await super().getmany(*partitions, timeout_ms=POLL_MS, max_records=max_records)
        except BaseException:
            owner.fetch_failed()
            raise
        if batches:
            owner.fetched()
        else:
            await owner.nothing_fetched()
        return batches
