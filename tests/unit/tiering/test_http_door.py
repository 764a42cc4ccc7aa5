"""The door for counters without Kafka judges every event exactly as the consumer does, each by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.tiering.entrypoints.json_items import NoArrayError, items_of
from services.tiering.entrypoints.transactions import events_of, read_items
from shared.contracts.counter_v1 import ReadTransaction, read_transaction
from shared.messaging.records import Record
from shared.problems import Problem
from tests.contracts.records import ATTRIBUTES, SALE, changed

CE = (("content-type", b"application/cloudevents+json"),)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
edges = st.sampled_from(
    ["0206-01-05", "1901-01-01", "2199-12-31", "1900-12-31", "1900-12-31T16:00:00Z", "1927-01-01T00:00:00+08:05",
     "2199-12-31T23:59:60+00:00", "2016-12-31T23:59:60Z", "2026-01-15T09:31:07.1234567Z", "e\u0301", "a\0b", "\ud872",
     "号" * 255, 41.0, 2**63, 2**64, 10**400, -0.0, "9999999999.99", "0.00", ""]
)  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event, valid or with some fields of it changed."""
    data = {**SALE, **draw(st.dictionaries(st.sampled_from(sorted(SALE)), edges | json_values, max_size=2))}
    attributes = draw(st.dictionaries(st.sampled_from(sorted(ATTRIBUTES)), edges | json_values, max_size=1))
    return {**ATTRIBUTES, "data": data, **attributes}


@pytest.mark.req("TIE-1")
@settings(deadline=None)
@given(st.lists(events(), max_size=4))
def test_what_is_accepted_over_http_is_read_by_the_consumer_with_the_same_content(
    given_events: list[dict[str, Any]],
) -> None:
    bodies = events_of(json.dumps(given_events).encode())
    published = read_items(bodies)
    accepted = [body for body, item in zip(bodies, published.items, strict=True) if item.status == "accepted"]
    assert len(accepted) == len(published.outgoing)
    for body, outgoing in zip(accepted, published.outgoing, strict=True):
        direct = read_transaction(Record(outgoing.topic, 0, 0, None, body, CE, 0))
        published_one = read_transaction(
            Record(outgoing.topic, 0, 0, outgoing.key, outgoing.value, outgoing.headers, 0)
        )
        assert isinstance(direct, ReadTransaction)
        assert published_one == direct
        assert direct.transaction.content_hash() == published_one.transaction.content_hash()


@pytest.mark.req("TIE-1")
@settings(deadline=None)
@given(st.lists(events() | json_values, max_size=4))
def test_http_and_kafka_reject_for_the_same_reason(given_events: list[Any]) -> None:
    bodies = events_of(json.dumps(given_events).encode())
    assert len(bodies) == len(given_events)
    for body, item in zip(bodies, read_items(bodies).items, strict=True):
        direct = read_transaction(Record("counter.transactions.v1", 0, 0, None, body, CE, 0))
        assert item.reason == (None if isinstance(direct, ReadTransaction) else direct.reason)


def test_a_bad_item_costs_its_neighbours_nothing() -> None:
    good = json.dumps({**ATTRIBUTES, "data": SALE})
    doubled = good.replace('"amount": ', '"amount": "1.00", "amount": ')
    body = ",".join(
        [
            good,
            good.replace("cash", "\\ud872"),
            json.dumps({**ATTRIBUTES, "data": changed(product="\ud872")}),
            good.replace("41", "41.0"),
            good.replace("41", "9" * 5000),
            good.replace("41", "[" * 500 + "]" * 500),
            f'{{"x": {"[" * 20_000}{"]" * 20_000}}}',
            doubled,
            good.replace("41", "NaN"),
            '"a text, with [brackets] and a \\" mark"',
            good,
        ]
    )
    read = read_items(events_of(f" [{body}]\n".encode()))
    assert [(item.status, item.reason) for item in read.items] == [
        ("accepted", None), ("rejected", "bad_field"), ("rejected", "bad_encoding"), ("rejected", "bad_field"),
        ("rejected", "bad_field"), ("rejected", "not_json"), ("rejected", "not_json"), ("rejected", "not_json"),
        ("rejected", "not_json"), ("rejected", "not_cloudevent"), ("accepted", None),
    ]  # fmt: skip


def test_bytes_that_are_no_text_are_judged_in_their_own_item() -> None:
    good = json.dumps({**ATTRIBUTES, "data": SALE}).encode()
    bad = good.replace(b"cash", "现金".encode("gbk"))
    read = read_items(events_of(b"[" + good + b", " + bad + b"]"))
    assert [item.reason for item in read.items] == [None, "bad_encoding"]


@given(st.lists(json_values, max_size=5), st.sampled_from([None, 1]))
def test_an_array_comes_apart_into_its_items(values: list[Any], indent: int | None) -> None:
    items = items_of(json.dumps(values, indent=indent).encode())
    assert [json.loads(item) for item in items] == values


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"null", b"[", b"[1", b'["a]', b"[1]]", b"[1] 2", b"[1],[2]", b"[1,]", b"[,1]", b"[,]", b"[[]", b"[}{"],
)  # fmt: skip
def test_what_is_no_array_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(NoArrayError):
        items_of(body)


def test_a_call_takes_a_thousand_events() -> None:
    assert len(events_of(b"[" + b",".join([b"1"] * 1000) + b"]")) == 1000
    with pytest.raises(Problem) as refused:
        events_of(b"[" + b",".join([b"1"] * 1001) + b"]")
    assert (refused.value.status, refused.value.code) == (422, "too_many_items")
