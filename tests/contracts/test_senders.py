"""The counter behind a message that cannot be read is named wherever its words allow it."""

from __future__ import annotations

import base64
import json

import pytest

from shared.contracts.counter_v1 import read_transaction
from shared.contracts.envelope import VALUE_BYTES_MAX
from shared.contracts.fields import Invalid
from shared.contracts.senders import Sender, sender_of
from shared.messaging.records import Record
from tests.contracts.records import ATTRIBUTES, SALE, TRACE, binary, changed, record, structured, without

SENDER = Sender(SALE["counter_id"], ATTRIBUTES["source"], ATTRIBUTES["id"], None)
SALE_JSON = json.dumps(SALE).encode()
STRUCTURED = structured().value or b""
JSON_ONLY = (("content-type", b"application/json"),)

NAMED: dict[str, Record] = {
    "a time with a blank": structured(attributes={"time": "2026-11-20 09:31:07"}),
    "a time in a header with a blank": binary(attributes={"time": "2026-11-20 09:31:07"}),
    "a time that is no text": binary(attributes={"time": b"\xff"}),
    "data as a string": structured(json.dumps(SALE)),
    "data as a string under headers": binary(json.dumps(SALE)),
    "bytes that hold a string": structured(
        attributes={"data": None, "data_base64": base64.b64encode(json.dumps(json.dumps(SALE)).encode()).decode()}
    ),
    "no version": structured(attributes={"specversion": None}),
    "a content type of text": structured(content_type=b"text/plain"),
    "no version in the headers": binary(attributes={"specversion": None}),
    "no type": structured(attributes={"type": None}),
    "another type": binary(attributes={"type": "other"}),
    "a bad amount": structured(changed(amount=12.5)),
    "a line that is missing": structured(without("line")),
    "a name twice": binary(value=b'{"amount":"1",' + SALE_JSON[1:]),
    "a product in GBK": binary(value=b'{"product":"' + "特快".encode("gbk") + b'",' + SALE_JSON[1:]),
    "half a surrogate pair": structured(changed(product="\ud872")),
    "too many levels": binary(value=b'{"x":' + b"[" * 100 + b"]" * 100 + b"," + SALE_JSON[1:]),
    "5000 digits": binary(value=SALE_JSON.replace(b"41", b"9" * 5000)),
    "an impossible day": structured(changed(business_date="0206-01-05")),
    "a foreign id in a header": record(
        structured(changed(amount=1)).value,
        (("content-type", b"application/cloudevents+json"), ("ce_id", b"another")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("given_record", NAMED.values(), ids=NAMED)
def test_who_can_be_named_is_named(given_record: Record) -> None:
    assert isinstance(read_transaction(given_record), Invalid)
    assert sender_of(given_record) == SENDER


def test_the_trace_is_carried_on() -> None:
    found = sender_of(structured(changed(amount=1), attributes={"traceparent": TRACE}))
    assert found == SENDER._replace(traceparent=TRACE)


@pytest.mark.parametrize(
    "nameless",
    [
        record(None),
        record(b""),
        record(b"hello"),
        record(b"[]", JSON_ONLY),
        record(STRUCTURED[:-9], JSON_ONLY),
        record(b'"' * 9000),
        record(b"[" * 100_000),
        binary(without("counter_id")),
        binary(changed(counter_id="x" * 33)),
        binary(changed(counter_id="")),
        binary(changed(counter_id=7)),
        binary(changed(counter_id="\ud800")),
        binary(value=SALE_JSON.replace(b"32050001", "支局".encode("gbk"))),
        binary(attributes={"id": None}),
        binary(attributes={"source": None}),
        binary(attributes={"id": b"\xff"}),
        structured(attributes={"id": 5}),
        structured(attributes={"data": None, "data_base64": "*"}),
        structured(None),
        binary(value=SALE_JSON + b" " * VALUE_BYTES_MAX),
    ],
)
def test_who_cannot_be_named_is_not_guessed(nameless: Record) -> None:
    assert sender_of(nameless) is None
