"""Records of the topic as structured CloudEvents: nothing is lost on the way from one mode to the other."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import httpx
import orjson
import pytest
from confluent_kafka import KafkaError, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from cli import export_tier_changes
from cli.export_tier_changes import structured
from shared.contracts.envelope import STRUCTURED, read, write
from shared.messaging.records import Record
from tests.unit.cli.fake_session import FakeSession, session

pytestmark = pytest.mark.req("TIE-21")

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOW = datetime(2026, 3, 9, 2, 11, 12, 345000, UTC)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
data = st.dictionaries(
    texts, st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans(), st.none()), max_size=5
)


@given(texts, texts, data, st.sampled_from([None, TRACE]))
def test_a_binary_record_reads_the_same_in_structured_mode(
    id: str, key: str, said: dict[str, object], trace: str | None
) -> None:
    sent = write(type="t", source="/tiering", id=id, time=NOW, subject=key, data=said, traceparent=trace)
    event = structured(sent.key, sent.value, sent.headers)
    assert event["specversion"] == "1.0"
    assert event["datacontenttype"] == "application/json"
    assert event.get("traceparent") == trace
    again = Record("t", 0, 0, None, orjson.dumps(event), (("content-type", STRUCTURED.encode()),), 0)
    assert read(again) == read(Record("t", 0, 0, *sent, 0))


def test_a_structured_record_is_given_as_it_is() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/tiering", "type": "t", "data": {"a": 1}}
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    assert structured(b"k", orjson.dumps(event), headers) == event


def test_a_trace_that_a_library_put_into_a_plain_header_is_kept() -> None:
    headers = [("ce_id", b"1"), ("traceparent", TRACE.encode()), ("other", None)]
    assert structured(b"k", b"{}", headers)["traceparent"] == TRACE


def test_what_is_no_json_is_given_in_base64() -> None:
    event = structured(None, b"\xff", [("ce_id", b"\xff1")])
    assert event == {"id": "\\xff1", "datacontenttype": "application/json", "data_base64": "/w=="}


class FaultyConsumer:
    """A partition of ten records whose connection breaks after every third; behind it only marks are left."""

    starts: ClassVar[list[int]] = []

    def __init__(self, _properties: dict[str, Any]) -> None:
        self.at = self.left = 0

    def assign(self, places: list[TopicPartition]) -> None:
        self.at, self.left = places[0].offset, 4
        self.starts.append(self.at)

    def poll(self, _timeout: float) -> FakeMessage | None:
        self.left -= 1
        if not self.left:
            return FakeMessage(self.at, KafkaError(KafkaError._FATAL))
        self.at += 1
        return (
            FakeMessage(self.at - 1)
            if self.at <= 10
            else FakeMessage(12, KafkaError(KafkaError._PARTITION_EOF))
        )

    def close(self) -> None:
        """Nothing to let go of."""


class FakeMessage(NamedTuple):
    at: int
    fault: KafkaError | None = None

    def error(self) -> KafkaError | None:
        return self.fault

    def offset(self) -> int:
        return self.at


def test_a_broken_connection_neither_repeats_nor_loses_a_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(export_tier_changes, "Consumer", FaultyConsumer)
    monkeypatch.setattr(FakeSession, "kafka", lambda *_, **__: {})
    reading = session(lambda _: httpx.Response(500), tmp_path)
    messages = list(export_tier_changes._read(reading, 0, 12))
    assert [message.offset() for message in messages] == list(range(10))
    assert FaultyConsumer.starts == [0, 3, 6, 9]
