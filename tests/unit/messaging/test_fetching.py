"""The tolerant parser: a guard against changes of the client library that it leans on."""

from __future__ import annotations

from typing import Any

import aiokafka.consumer.fetcher as fetcher
import pytest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from shared.messaging import fetching
from tests.support.raw_records import BAD_NAME, batch


def partition_records(raw: bytes, offset: int = 0) -> Any:
    fetching.install()
    module: Any = fetcher
    return module.PartitionRecords(
        TopicPartition("t", 0), module.MemoryRecords(raw), [], offset, None, None, True, 1
    )


def test_the_client_library_itself_refuses_such_a_batch() -> None:
    """If this fails one day, the detour has become superfluous."""
    records: Any = MemoryRecords(batch([b"a", b"b"], bad=1))
    with pytest.raises(Exception, match="utf-8"):
        list(records.next_batch())


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_every_record_of_a_batch_with_a_bad_name_is_read_once_and_in_order(bad: int) -> None:
    records = partition_records(batch([b"a", b"b", b"c"], bad=bad))
    found = list(records)
    assert [(r.offset, r.value) for r in found] == [(0, b"a"), (1, b"b"), (2, b"c")]
    assert found[bad].headers[0] == (BAD_NAME.decode("utf-8", "surrogateescape"), b"\xff")
    assert found[bad].headers[1:] == (("empty", b""), ("null", None))
    assert records.next_fetch_offset == 3


def test_a_fetch_that_begins_in_the_middle_of_a_batch_skips_what_was_read_before() -> None:
    assert [r.offset for r in partition_records(batch([b"a", b"b", b"c"], bad=2), offset=1)] == [1, 2]


def test_a_batch_that_was_cut_off_by_the_size_of_the_fetch_is_left_for_the_next() -> None:
    whole = batch([b"a"], bad=0)
    assert [r.value for r in partition_records(whole + whole[:30])] == [b"a"]
