"""Records and headers: nothing is lost or mixed up between arrival, database and publication."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.topics import COUNTER_TRANSACTIONS, RECORD_BYTES, dead_letter_topic
from shared.messaging.positions import Move, Place, moves_of
from shared.messaging.records import (
    Headers,
    Outgoing,
    OversizedError,
    Record,
    check_size,
    decode_headers,
    encode_headers,
    header,
    known,
)
from shared.messaging.relay_producers import published_headers


class Message(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
    timestamp: int = 0


names = st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@given(st.lists(st.tuples(names, st.none() | st.binary(max_size=50)), max_size=20))
def test_headers_survive_the_database_byte_for_byte(headers: list[tuple[str, bytes | None]]) -> None:
    assert decode_headers(encode_headers(headers)) == tuple(headers)


def test_of_double_names_the_last_value_counts_and_a_null_value_is_no_empty_one() -> None:
    record = Record("t", 0, 0, None, None, (("a", b"1"), ("a", b"2"), ("b", None), ("c", b"")), 0)
    assert (header(record, "a"), header(record, "b"), header(record, "c")) == (b"2", None, b"")


def test_names_that_are_no_text_are_published_escaped() -> None:
    encoded = encode_headers(
        [("plain", b"x"), (b"\xff\xfe".decode("utf-8", "surrogateescape"), None), ("a\0b", b"")]
    )
    assert published_headers(encoded) == [("plain", b"x"), ("\\xff\\xfe", None), ("a\\x00b", b"")]


def test_records_below_the_position_or_of_unknown_partitions_are_left_out() -> None:
    messages = [
        Message("t", 0, 4),
        Message("t", 0, 5),
        Message("t", 1, 5),
        Message("u", 1, 9),
        Message("t", 0, 6),
    ]
    found = known(messages, {Place("t", 0): 5, Place("u", 1): 9})
    assert [(r.topic, r.partition, r.offset) for r in found] == [("t", 0, 5), ("u", 1, 9), ("t", 0, 6)]


def test_moves_reach_behind_the_last_record_of_each_partition_in_a_fixed_order() -> None:
    records = [
        Record(t, p, o, None, None, (), 0) for t, p, o in (("t", 1, 7), ("t", 0, 3), ("t", 0, 9), ("s", 2, 0))
    ]
    expected = {Place("t", 1): 7, Place("t", 0): 2, Place("s", 2): 0}
    assert moves_of(records, expected) == [
        Move(Place("s", 2), 0, 1),
        Move(Place("t", 0), 2, 10),
        Move(Place("t", 1), 7, 8),
    ]


def test_a_record_that_its_topic_would_never_take_is_refused_before_it_commits() -> None:
    value = b"x" * (RECORD_BYTES - 50)
    with pytest.raises(OversizedError):
        check_size(Outgoing(COUNTER_TRANSACTIONS, b"k", value))
    # A dead letter carries the largest input record and still fits.
    check_size(Outgoing(dead_letter_topic("tiering"), b"k", value, (("x-reason", b"oversized"),)))
