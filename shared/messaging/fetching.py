"""Reading every record that a broker has accepted, whatever its bytes.

A broker does not look at the names of headers, but aiokafka decodes them as UTF-8 while it unpacks a fetched batch.
One name that is not UTF-8 raises there, before any record of ours exists; the position does not move, the same bytes
are fetched again, and the partition stands still for ever. Worse, records of *other* partitions that the same call had
already taken out are thrown away with their positions moved, which loses them silently.

Two answers. A batch that the quick parser refuses is parsed again by a slower one that keeps a name's raw bytes as
lone surrogates. And a fetch that raises for whatever reason is told to the owner of the positions, who then starts
over from what is stored (`OwnedConsumer`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

import aiokafka
import aiokafka.consumer.fetcher as fetcher
import structlog
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy

from shared.messaging.records import Record

log = structlog.get_logger(__name__)

POLL_MS: Final = 250

_QuickRecords: Any = fetcher.MemoryRecords
_Base: Any = fetcher.PartitionRecords
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


class _Rereadable:
    """The fetched bytes beside the quick parser's view of them, so that they can be read a second time."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._quick = _QuickRecords(raw)
        self.has_next = self._quick.has_next
        self.next_batch = self._quick.next_batch
        self.size_in_bytes = self._quick.size_in_bytes


class _SlowRecords:
    """The batches of a fetch, each parsed by the tolerant parser."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def _length(self) -> int:
        # Offset (8 bytes) and length (4) come before what the length counts; a fetch may end in the middle of a batch.
        if len(self._raw) - self._at < 12:
            return 0
        length = 12 + int.from_bytes(self._raw[self._at + 8 : self._at + 12], "big")
        return length if len(self._raw) - self._at >= length else 0

    def has_next(self) -> bool:
        return self._length() > 0

    def next_batch(self) -> Any:
        length = self._length()
        batch = _tolerant_batch(self._raw[self._at : self._at + length])
        self._at += length
        return batch


def _tolerant_batch(raw: bytes) -> Any:
    batch = _SlowBatch(raw)
    batch._maybe_uncompress = _uncompress_then_tolerate(batch, batch._maybe_uncompress)
    return batch


def _uncompress_then_tolerate(batch: Any, uncompress: Callable[[], None]) -> Callable[[], None]:
    def prepare() -> None:
        uncompress()
        batch._buffer = _TolerantBuffer(batch._buffer)

    return prepare


class _TolerantRecords(_Base):  # type: ignore[misc]
    """The records of one partition in one fetch; falls back to the slow parser where the quick one raises."""

    def __init__(self, tp: Any, records: _Rereadable, aborted: Any, *rest: Any) -> None:
        self._again = (records.raw, sorted(aborted or [], key=lambda pair: pair[1]))
        self._slow = False
        super().__init__(tp, records, aborted, *rest)

    def _consumer_record(self, tp: Any, record: Any) -> Record:
        """Our own record at once: the client's has fields that nobody reads, and making both takes twice as long."""
        return Record(
            tp.topic,
            tp.partition,
            record.offset,
            record.key,
            record.value,
            tuple(record.headers),
            record.timestamp,
        )

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except (CorruptRecordException, UnicodeDecodeError):
            if self._slow:
                raise
            self._slow = True
            raw, aborted = self._again
            # From the beginning of the fetch: what was already handed out lies below `next_fetch_offset` and is
            # skipped, and the list of aborted transactions is walked anew.
            self._records = _SlowRecords(raw)
            self._aborted_transactions = list(aborted)
            self._aborted_producers: set[int] = set()
            self._records_iterator = self._unpack_records()
            log.warning(
                "a batch was read by the tolerant parser", topic=self._tp.topic, partition=self._tp.partition
            )
            return super().__next__()


def install() -> None:
    """Have aiokafka's fetcher build these instead of its own; it looks the two names up in its module each time."""
    module = cast(Any, fetcher)
    module.MemoryRecords = _Rereadable
    module.PartitionRecords = _TolerantRecords


class FetchOwner(Protocol):
    """Who keeps the positions."""

    def attached(self, consumer: OwnedConsumer) -> None: ...
    async def before_fetch(self) -> None: ...
    def fetched(self) -> None: ...
    def fetch_failed(self) -> None: ...
    async def nothing_fetched(self) -> None: ...


class OwnedConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, telling the owner of the positions what happens, in the task that handles the batches."""

    def __init__(self, *args: Any, owner: FetchOwner, **options: Any) -> None:
        install()
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
