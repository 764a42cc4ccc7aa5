"""Batches are unpacked under a limit; what is beyond arrives as one record that stands for all."""

from __future__ import annotations

import importlib.metadata
import tracemalloc
from typing import Any

import aiokafka.consumer.fetcher as fetcher
import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from shared.contracts.topics import RECORD_BYTES
from shared.messaging import fetching, unpacking
from shared.messaging.unpacking import UNPACKED_BYTES
from tests.unit.messaging.test_fetching import partition_records

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def packed(values: list[bytes], codec: int, first: int = 0) -> bytes:
    builder: Any = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for number, value in enumerate(values):
        builder.append(number, 1_700_000_000_000, b"key", value, [("name", b"header")])
    raw = bytearray(builder.build())
    # The checksum covers what comes after the offset and the length, so a broker moves a batch without touching it.
    raw[0:8] = first.to_bytes(8, "big")
    return bytes(raw)


def result(*batches: bytes) -> Any:
    """What the client keeps of one fetch."""
    fetching.install()
    module: Any = fetcher
    partition = TopicPartition("t", 0)

    class Assignment:
        active = True
        paused = False
        position = 0

        def state_value(self, _: Any) -> Any:
            return self

        def consumed_to(self, position: int) -> None:
            self.position = position

    return module.FetchResult(
        partition,
        assignment=Assignment(),
        partition_records=partition_records(b"".join(batches)),
        backoff=0,
    )


def test_the_version_whose_inside_is_replaced_is_the_one_installed() -> None:
    """Another version has to be read before it is named here: its names may be the same and mean something else."""
    assert importlib.metadata.version("aiokafka") == fetching.AIOKAFKA


def test_the_fetcher_still_looks_up_what_is_replaced_when_it_uses_it() -> None:
    names = fetcher.Fetcher._proc_fetch_request.__code__.co_names
    assert {"MemoryRecords", "PartitionRecords", "FetchResult"} <= set(names)
    assert "FetchResult" in fetcher.Fetcher.fetched_records.__code__.co_names
    fetching.install()
    assert fetcher.PartitionRecords is fetching._TolerantRecords
    assert fetcher.FetchResult is fetching._BittenResult


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_a_batch_within_the_limit_is_read_as_it_was_written(codec: int) -> None:
    values = [b"%d" % number * 500 for number in range(200)]
    records = list(partition_records(packed(values, codec, first=7), offset=7))
    assert [(record.offset, record.value) for record in records] == list(enumerate(values, 7))
    assert records[0].headers == (("name", b"header"),)
    assert {record.oversized for record in records} == {None}


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
@pytest.mark.parametrize("beyond", [0, 1])
def test_the_limit_is_exact(codec: int, beyond: int) -> None:
    whole = packed([b" " * 300_000], 0)
    raw = memoryview(packed([b" " * 300_000], codec))
    limit = len(whole) - unpacking.HEADER_BYTES - beyond
    if beyond:
        with pytest.raises(unpacking.TooMuchError):
            unpacking.plain(raw, limit)
    else:
        assert unpacking.plain(raw, limit)[unpacking.HEADER_BYTES :] == whole[unpacking.HEADER_BYTES :]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_a_batch_beyond_the_limit_arrives_as_one_record_that_stands_for_all_of_its_offsets(
    codec: int,
) -> None:
    bomb = packed([b" " * (UNPACKED_BYTES // 4)] * 5, codec, first=3)
    found = list(partition_records(bomb + packed([b"after"], codec, first=8), offset=3))
    assert [(record.first_offset, record.offset) for record in found] == [(3, 7), (None, 8)]
    assert found[0].value == bomb
    assert "5 records" in (found[0].oversized or "")
    assert (found[1].value, found[1].oversized) == (b"after", None)


@pytest.mark.req("PLT-4")
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_what_a_batch_takes_of_memory_is_bounded_by_the_limit_and_not_by_what_it_unpacks_to(
    codec: int,
) -> None:
    bomb = packed([b" " * (4 * UNPACKED_BYTES)], codec)
    records = partition_records(bomb)
    tracemalloc.start()
    try:
        assert len(list(records)) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * UNPACKED_BYTES + 4 * len(bomb)


def test_a_record_longer_than_its_topic_takes_says_so_and_its_neighbours_do_not() -> None:
    found = list(partition_records(packed([b"a", b" " * (RECORD_BYTES + 1), b"b"], CODECS["zstd"])))
    assert [record.oversized is not None for record in found] == [False, True, False]


def test_one_call_takes_no_further_batch_of_a_partition_once_its_bite_is_full() -> None:
    size, count = 1_000_000, 12
    batches = [packed([b" " * size], CODECS["zstd"], first=number) for number in range(count)]
    taken = result(*batches)
    first = taken.getall(max_records=10_000)
    assert 1 < len(first) < count
    assert sum(len(record.value) for record in first) <= fetching.BITE_BYTES + size
    # What is left is fetched again, from the position that was reached.
    assert not taken.has_more()
    assert taken._assignment.position == len(first)


def test_calls_that_take_little_go_on_in_one_fetch() -> None:
    batches = [packed([b" " * 1_000_000], CODECS["zstd"], first=number) for number in range(12)]
    taken = result(*batches)
    assert [taken.getall(max_records=1)[0].offset for _ in range(12)] == list(range(12))


@pytest.mark.parametrize("codec", [0, *CODECS.values()])
def test_a_batch_with_a_wrong_checksum_is_refused(codec: int) -> None:
    raw = bytearray(packed([b"value" * 100], codec))
    raw[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        list(partition_records(bytes(raw)))
