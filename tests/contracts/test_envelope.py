"""The envelope: both modes, every class of bad input with its reason, and that reading never raises."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.counter_v1 import ReadTransaction, read_transaction
from shared.contracts.envelope import VALUE_BYTES_MAX, Envelope, Headers, read, write
from shared.contracts.fields import Invalid
from shared.contracts.json_text import DEPTH_MAX
from shared.messaging.records import Record
from tests.contracts.records import ATTRIBUTES, SALE, TRACE, binary, changed, record, structured

SALE_JSON = json.dumps(SALE).encode()
CE = b"application/cloudevents+json"


def _reason(of: Record) -> str | None:
    """The reason for which the transaction on a record is refused; the envelope's own answer must not
    differ.
    """
    answer = read_transaction(of)
    envelope = read(of)
    if isinstance(envelope, Invalid):
        assert isinstance(answer, Invalid)
        assert answer.reason in (envelope.reason, "wrong_type")
    return answer.reason if isinstance(answer, Invalid) else None


# --- What is accepted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accepted",
    [
        binary(),
        binary(content_type=None),
        binary(content_type=b"application/json; charset=utf-8"),
        binary(content_type=b"application/octet-stream"),
        binary(attributes={"time": None}),
        binary(attributes={"specversion": "1.1"}),
        binary(attributes={"subject": b"\xff\xfe", "dataschema": b"\xff", "traceparent": b"\xff"}),
        binary(headers=(("x-other", b"\xff\xfe"), ("ce_custom", b"\xff"), ("x-null", None))),
        binary(headers=(("x-twice", b"1"), ("x-twice", b"2"), ("ce_id", ATTRIBUTES["id"].encode()))),
        binary(headers=tuple((f"x-{n}", b"v") for n in range(1000))),
        binary(headers=(("x-long", b"v" * 1_000_000),)),
        binary(headers=(("reply_to", b"registry.customers.v1"),)),
        structured(),
        structured(content_type=None),
        structured(content_type=b"application/json"),
        structured(content_type=b"application/json; charset=utf-8"),
        structured(content_type=b"application/cloudevents+json; charset=UTF-8"),
        structured(content_type=b"Application/CloudEvents+JSON ;charset=utf-8"),
        structured(attributes={"time": None, "subject": None, "extension": {"any": "thing"}}),
        structured(attributes={"data": None, "data_base64": base64.b64encode(SALE_JSON).decode()}),
        record(binary().value, (*binary().headers, ("traceparent", TRACE.encode()))),
        record(structured().value, (("content-type", CE), ("ce_id", b"another"), ("ce_type", b"\xff"))),
        record(structured().value, (("content-type", None),)),
        record(structured().value, (("content-type", b""),)),
    ],
)
def test_both_modes_are_read_and_what_is_not_needed_does_not_matter(accepted: Record) -> None:
    answer = read_transaction(accepted)
    assert isinstance(answer, ReadTransaction), answer
    assert (answer.id, answer.source) == (ATTRIBUTES["id"], ATTRIBUTES["source"])
    assert answer == read_transaction(binary())._replace(traceparent=answer.traceparent)


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"another"])
def test_any_key_is_accepted_because_the_body_decides(key: bytes | None) -> None:
    assert read_transaction(binary()._replace(key=key)) == read_transaction(binary())


def test_an_envelope_carries_all_attributes() -> None:
    attributes = {"subject": "3205000000011", "dataschema": "urn:x", "traceparent": TRACE}
    answer = read(binary(attributes=attributes))
    assert answer == Envelope(
        id=ATTRIBUTES["id"],
        source=ATTRIBUTES["source"],
        type=ATTRIBUTES["type"],
        data=SALE,
        time=datetime(2026, 1, 15, 1, 31, 7, tzinfo=UTC),
        **attributes,
    )
    assert read(structured(attributes=attributes)) == answer


@pytest.mark.parametrize(
    ("given_trace", "carried"),
    [
        (TRACE, TRACE),
        (TRACE.upper(), None),
        ("00-" + "0" * 32 + TRACE[35:], None),
        ("ff" + TRACE[2:], None),
        ("nonsense", None),
    ],
)
def test_a_trace_is_carried_on_and_a_broken_one_costs_nothing(given_trace: str, carried: str | None) -> None:
    for made in (
        binary(attributes={"traceparent": given_trace}),
        structured(attributes={"traceparent": given_trace}),
        binary(headers=(("traceparent", given_trace.encode()),)),
    ):
        answer = read_transaction(made)
        assert isinstance(answer, ReadTransaction)
        assert answer.traceparent == carried


def test_ids_of_255_characters_and_decomposed_letters_are_normalised() -> None:
    answer = read(binary(attributes={"id": "e\u0301" + "号" * 254, "source": "s" * 255}))
    assert isinstance(answer, Envelope)
    assert answer.id == "\u00e9" + "号" * 254


# --- What is refused ----------------------------------------------------------------------------------------

NESTED_1000 = b'{"x":' + b"[" * 1000 + b"]" * 1000 + b"," + SALE_JSON[1:]
NESTED_10000 = b'{"x":' + b"[" * 10000 + b"]" * 10000 + b"," + SALE_JSON[1:]
DEEP = b'{"x":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"," + SALE_JSON[1:]
JUST_DEEP_ENOUGH = b'{"x":' + b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1) + b"," + SALE_JSON[1:]

REFUSED: list[tuple[str, Record, str]] = [
    ("no value", binary()._replace(value=None), "not_json"),
    ("no value and no headers", record(None), "not_json"),
    ("an empty value", binary(value=b""), "not_json"),
    ("text", binary(value=b"hello"), "not_json"),
    ("text without headers", record(b"hello"), "not_json"),
    ("a truncated object", binary(value=SALE_JSON[:-5]), "not_json"),
    ("two objects", binary(value=SALE_JSON + SALE_JSON), "not_json"),
    ("a byte order mark", binary(value=b"\xef\xbb\xbf" + SALE_JSON), "not_json"),
    ("UTF-16 with its mark", binary(value=SALE_JSON.decode().encode("utf-16")), "bad_encoding"),
    ("UTF-16 without", binary(value=SALE_JSON.decode().encode("utf-16-le")), "bad_encoding"),
    ("UTF-16 the other way", binary(value=SALE_JSON.decode().encode("utf-16-be")), "bad_encoding"),
    ("UTF-32", binary(value=SALE_JSON.decode().encode("utf-32")), "bad_encoding"),
    ("GBK", binary(value='{"product":"特快"}'.encode("gbk")), "bad_encoding"),
    ("GBK without headers", record('{"specversion":"特快"}'.encode("gbk")), "bad_encoding"),
    ("an encoded surrogate", binary(value=b'{"product":"\xed\xa0\x80"}'), "bad_encoding"),
    ("1000 levels", binary(value=NESTED_1000), "not_json"),
    ("10000 levels", binary(value=NESTED_10000), "not_json"),
    ("a level too many", binary(value=DEEP), "not_json"),
    ("NaN", binary(value=SALE_JSON.replace(b"41", b"NaN")), "not_json"),
    ("Infinity", binary(value=SALE_JSON.replace(b"41", b"Infinity")), "not_json"),
    ("-Infinity in an unknown field", binary(value=b'{"x":-Infinity,' + SALE_JSON[1:]), "not_json"),
    ("1e400", binary(value=SALE_JSON.replace(b"41", b"1e400")), "bad_field"),
    ("5000 digits", binary(value=SALE_JSON.replace(b"41", b"9" * 5000)), "bad_field"),
    ("a name twice", binary(value=b'{"amount":"1.00",' + SALE_JSON[1:]), "not_json"),
    ("a name twice, once escaped", binary(value=b'{"amo\\u0075nt":"1",' + SALE_JSON[1:]), "not_json"),
    ("an array", binary(value=b"[" + SALE_JSON + b"]"), "bad_field"),
    ("an array without headers", record(b"[{}]"), "not_cloudevent"),
    ("null", binary(value=b"null"), "missing_field"),
    ("a string", binary(value=json.dumps(SALE_JSON.decode()).encode()), "bad_field"),
    ("a number", binary(value=b"1"), "bad_field"),
    ("too long", binary(value=SALE_JSON + b" " * VALUE_BYTES_MAX), "oversized"),
    ("too long and no event at all", record(b"x" * (VALUE_BYTES_MAX + 1)), "oversized"),
    ("no headers and no event", record(SALE_JSON), "not_cloudevent"),
    ("only a content type", record(SALE_JSON, (("content-type", b"application/json"),)), "not_cloudevent"),
    *(
        (
            f"an event without {name} under a plain content type",
            structured(attributes={name: None}, content_type=b"application/json"),
            "not_cloudevent",
        )
        for name in ("specversion", "id", "source", "type")
    ),
    (
        "no JSON under a plain content type",
        record(b"{", (("content-type", b"application/json"),)),
        "not_cloudevent",
    ),
    ("an event under the content type of text", structured(content_type=b"text/plain"), "not_cloudevent"),
    ("a time before the range", binary(attributes={"time": "1900-12-31T23:59:59+08:00"}), "bad_field"),
    ("a batch", structured(content_type=b"application/cloudevents-batch+json"), "not_cloudevent"),
    ("another format", structured(content_type=b"application/cloudevents+avro"), "not_cloudevent"),
    ("a content type that is no text", binary(content_type=b"\xff"), "bad_encoding"),
    ("an array as structured event", record(b"[]", (("content-type", CE),)), "not_cloudevent"),
    ("a foreign header only", record(SALE_JSON, (("ce_foo", b"1"),)), "not_cloudevent"),
    ("version 0.3", binary(attributes={"specversion": "0.3"}), "not_cloudevent"),
    ("version 2.0", binary(attributes={"specversion": "2.0"}), "not_cloudevent"),
    ("version 1", binary(attributes={"specversion": "1"}), "not_cloudevent"),
    ("no version", binary(attributes={"specversion": None}), "not_cloudevent"),
    ("a number as version", structured(attributes={"specversion": 1.0}), "not_cloudevent"),
    ("no version, structured", structured(attributes={"specversion": None}), "not_cloudevent"),
    ("another type", binary(attributes={"type": "keypost.counter.transaction.v2"}), "wrong_type"),
    ("another type, structured", structured(attributes={"type": "Transaction"}), "wrong_type"),
    ("no type", binary(attributes={"type": None}), "missing_field"),
    ("a type that is no text", binary(attributes={"type": b"\xff"}), "bad_encoding"),
    ("a type that is no string", structured(attributes={"type": 7}), "bad_field"),
    ("no id", binary(attributes={"id": None}), "missing_field"),
    ("an empty id", binary(attributes={"id": ""}), "bad_field"),
    ("an id of 256 characters", binary(attributes={"id": "x" * 256}), "bad_field"),
    ("an id of 10 KB", binary(attributes={"id": "x" * 10240}), "bad_field"),
    ("an id with NUL", binary(attributes={"id": "a\x00b"}), "bad_field"),
    ("an id with a line break", structured(attributes={"id": "a\nb"}), "bad_field"),
    ("an id that is no text", binary(attributes={"id": b"\xff\xfe"}), "bad_encoding"),
    ("a number as id", structured(attributes={"id": 5}), "bad_field"),
    ("half a surrogate pair as id", structured(attributes={"id": "\ud800"}), "bad_encoding"),
    ("two ids", binary(headers=(("ce_id", b"another"),)), "not_cloudevent"),
    ("a null id", structured(attributes={"id": None}), "missing_field"),
    ("no source", binary(attributes={"source": None}), "missing_field"),
    ("a long source", binary(attributes={"source": "/" * 256}), "bad_field"),
    ("a time without offset", binary(attributes={"time": "2026-01-15T09:31:07"}), "bad_field"),
    ("a time that is no text", binary(attributes={"time": b"\xff"}), "bad_encoding"),
    ("no data", structured(None), "missing_field"),
    ("data as a string", structured(SALE_JSON.decode()), "bad_field"),
    ("data as a list", structured([SALE]), "bad_field"),
    ("bad base64", structured(attributes={"data": None, "data_base64": "*"}), "bad_field"),
    ("base64 of no JSON", structured(attributes={"data": None, "data_base64": "AAAA"}), "bad_encoding"),
    ("base64 of text", structured(attributes={"data": None, "data_base64": "aGVsbG8="}), "not_json"),
    ("data twice over", structured(attributes={"data_base64": "e30="}), "not_cloudevent"),
]


@pytest.mark.parametrize(("bad", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_each_class_of_bad_input_has_its_reason(bad: Record, reason: str) -> None:
    assert _reason(bad) == reason


@pytest.mark.parametrize(
    "odd",
    [
        binary(value=JUST_DEEP_ENOUGH),
        binary(value=b'{"x":1e400,"y":-0,"z":[{"a":"\\"quoted\\""}],' + SALE_JSON[1:]),
        binary(value=b'{"x":"\\ud800",' + SALE_JSON[1:]),
        binary(value=b" \r\n\t" + SALE_JSON + b" \n"),
        binary(value=SALE_JSON + b" " * (VALUE_BYTES_MAX - len(SALE_JSON))),
        binary(changed(schema_version=2, tier="gold", nested={"deep": [1, {"er": None}]})),
    ],
)
def test_whatever_unknown_fields_hold_is_ignored(odd: Record) -> None:
    assert read_transaction(odd) == read_transaction(binary())


# --- Laws ---------------------------------------------------------------------------------------------------

header_names = st.one_of(
    st.sampled_from(["content-type", "traceparent", *(f"ce_{name}" for name in ATTRIBUTES)]),
    st.text(max_size=12),
)
header_values = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.sampled_from([CE, b"application/json", *(value.encode() for value in ATTRIBUTES.values())]),
)
all_headers = st.lists(st.tuples(header_names, header_values), max_size=8).map(tuple)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def _never_raises(given_record: Record) -> None:
    answer = read_transaction(given_record)
    assert isinstance(answer, ReadTransaction | Invalid)
    assert isinstance(read(given_record), Envelope | Invalid)
    if isinstance(answer, Invalid):
        answer.detail.encode()


@given(st.none() | st.binary(max_size=300), all_headers)
def test_arbitrary_bytes_never_raise(value: bytes | None, headers: Headers) -> None:
    _never_raises(record(value, headers))


@given(st.data())
def test_mutated_messages_never_raise(data: st.DataObject) -> None:
    value = bytearray(data.draw(st.sampled_from([SALE_JSON, structured().value or b""])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(value) - 1))
        how = data.draw(st.sampled_from(["replace", "delete", "insert", "repeat"]))
        if how == "replace":
            value[at] = data.draw(st.integers(0, 255))
        elif how == "delete" and len(value) > 1:
            del value[at]
        elif how == "insert":
            value[at:at] = data.draw(st.binary(max_size=4))
        else:
            value += value[at:]
    headers = data.draw(st.sampled_from([binary().headers, structured().headers, ()]))
    _never_raises(record(bytes(value), headers))


@given(st.sampled_from(sorted(SALE)), json_values)
def test_any_json_in_any_field_never_raises(name: str, value: Any) -> None:
    _never_raises(binary(changed(**{name: value})))
    _never_raises(structured(changed(**{name: value})))


@given(st.sampled_from(sorted({*ATTRIBUTES, "data", "data_base64", "traceparent"})), json_values)
def test_any_json_in_any_attribute_never_raises(name: str, value: Any) -> None:
    _never_raises(structured(attributes={name: value}))


printable = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)


@given(
    id=printable,
    source=printable,
    subject=st.none() | printable,
    time=st.datetimes(
        timezones=st.just(UTC), min_value=datetime(1901, 1, 1), max_value=datetime(2199, 12, 31)
    ),
    data=st.dictionaries(printable, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | printable),
    traceparent=st.sampled_from([None, TRACE]),
)
def test_what_is_written_reads_back(
    id: str, source: str, subject: str | None, time: datetime, data: dict[str, Any], traceparent: str | None
) -> None:
    made = write(
        type="t", source=source, id=id, time=time, subject=subject, data=data, traceparent=traceparent
    )
    answer = read(record(made.value, made.headers, made.key))
    assert isinstance(answer, Envelope)
    assert (answer.id, answer.source) == (normalize("NFC", id), normalize("NFC", source))
    assert (answer.type, answer.data, answer.traceparent) == ("t", data, traceparent)
    assert answer.subject == (None if subject is None else normalize("NFC", subject))
    assert answer.time is not None
    assert abs((answer.time - time).total_seconds()) < 0.001
    assert made.key == (None if subject is None else subject.encode())
    assert ("content-type", b"application/json") in made.headers


@given(st.dictionaries(st.sampled_from(sorted(SALE)), json_values, max_size=2))
def test_both_modes_mean_the_same(fields: dict[str, Any]) -> None:
    assert read_transaction(binary(changed(**fields))) == read_transaction(structured(changed(**fields)))
