"""The envelope: CloudEvents 1.0 in the Kafka protocol binding, read in both modes and written in binary mode.

`read` never raises, whatever the record holds: it answers with an `Envelope` or with an `Invalid` that
carries the stable reason for the dead letter. One pass decodes the JSON. The rules:

* a value longer than 262 144 bytes is `oversized`, before anything else is looked at;
* `content-type: application/cloudevents+json` means structured mode; otherwise any `ce_*` header means binary
  mode; with neither a content type nor such a header a JSON object with `specversion` is structured; so is, under
  the content type of JSON and without such a header, an object with `specversion`, `id`, `source` and `type`
  (an old but common library writes its events so); all else is `not_cloudevent` (or `not_json`, when it is not
  even that);
* header values are plain UTF-8: the Kafka binding, unlike the one for HTTP, knows no percent-encoding;
* JSON means RFC 8259 in UTF-8: no byte order mark, no NaN, at most 64 levels, no name twice in one object
  (which of two amounts would be meant?). A number beyond the range of a double is a number, and breaks the
  rule of its field;
* `subject`, `dataschema` and `traceparent` decide nothing here, so unusable ones read as absent.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self

import orjson
from pydantic import ValidationError

from shared.contracts.fields import (
    IDENTITY_LENGTH_MAX,
    Invalid,
    Part,
    Unreadable,
    instant,
    missing,
    printed_instant,
    text,
)
from shared.contracts.json_text import decode_json

VALUE_BYTES_MAX: Final = 262_144
"""The longest value that is read; a longer one is `oversized`."""

STRUCTURED: Final = "application/cloudevents+json"
JSON: Final = "application/json"

Headers = tuple[tuple[str, bytes | None], ...]


class Readable(Protocol):
    """What reading needs of a Kafka record."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event that keeps the rules of the envelope; its `data` is an object whose fields nobody has checked
    yet.
    """

    id: str
    source: str
    type: str
    data: dict[str, Any]
    time: datetime | None = None
    subject: str | None = None
    dataschema: str | None = None
    traceparent: str | None = None

    def data_json(self) -> bytes:
        """The data as JSON again, without what was ambiguous about its first form."""
        try:
            return orjson.dumps(self.data)
        except (TypeError, orjson.JSONEncodeError):
            # Integers beyond 64 bits and halves of surrogate pairs, which only unknown fields may hold.
            return json.dumps(self.data).encode()


class Outgoing(NamedTuple):
    """A message ready to be produced: the three parts of a Kafka record that its sender decides."""

    key: bytes | None
    value: bytes
    headers: Headers


class Mode(Enum):
    """How a record says that it is an event; PLAIN is a structured event whose content type only says JSON."""

    BINARY = "binary"
    STRUCTURED = "structured"
    PLAIN = "plain"


class Decoded(NamedTuple):
    """The attributes as they came (not yet checked) and the data; the step shared with the fast reader."""

    attributes: Mapping[str, Any]
    data: Any
    structured: bool


def read(record: Readable) -> Envelope | Invalid:
    """The event that a record carries, or why it carries none."""
    try:
        attributes, data, is_structured = decode(record)
        told = attributes if is_structured else _told(record.headers)
        identifier, source = identify(attributes)
        return Envelope(
            id=identifier,
            source=source,
            type=text(attributes.get("type"), "type", IDENTITY_LENGTH_MAX),
            data=_object(data),
            time=_time(attributes.get("time")),
            subject=_if_text(told.get("subject")),
            dataschema=_if_text(told.get("dataschema")),
            traceparent=traceparent_of(attributes, record.headers),
        )
    except Unreadable as fault:
        return fault.invalid()


def decode(record: Readable, wanted_type: str | None = None) -> Decoded:
    """Mode, version, type and JSON of a record, in this order where the mode allows it. Raises
    `Unreadable`.
    """
    value = record.value
    if value is not None and len(value) > VALUE_BYTES_MAX:
        raise Unreadable("oversized", f"the value has {len(value)} bytes, more than {VALUE_BYTES_MAX}")
    headers = dict(record.headers)
    if len(headers) != len(record.headers):
        _refuse_contradictions(record.headers)
    mode = _mode(headers)
    if mode is not Mode.BINARY:
        document = decode_json(value) if mode is Mode.STRUCTURED else _plain_event(value)
        if type(document) is not dict:
            raise Unreadable("not_cloudevent", "a structured event is a JSON object")
        _check_version(document.get("specversion"))
        _check_type(document.get("type"), wanted_type)
        return Decoded(document, _structured_data(document), structured=True)
    attributes = _attributes(headers)
    _check_version(attributes.get("specversion"))
    _check_type(attributes.get("type"), wanted_type)
    return Decoded(attributes, decode_json(value), structured=False)


def identify(attributes: Mapping[str, Any]) -> tuple[str, str]:
    """(`id`, `source`) of an event, each of 1-255 characters in NFC. Raises `Unreadable`."""
    return (
        text(attributes.get("id"), "id", IDENTITY_LENGTH_MAX),
        text(attributes.get("source"), "source", IDENTITY_LENGTH_MAX),
    )


# --- Mode and headers ---------------------------------------------------------------------------------------

_NEEDED: Final = tuple((f"ce_{name}", name) for name in ("specversion", "type", "id", "source", "time"))
"""The headers whose bytes have to be text; `ce_subject` and the rest may hold anything."""
_DECIDING: Final = frozenset({"content-type", *(header for header, _ in _NEEDED)})
_VERSION: Final = re.compile(r"1\.[0-9]{1,4}")


def _mode(headers: Mapping[str, bytes | None]) -> Mode:
    content_type = headers.get("content-type")
    media = JSON
    if content_type and content_type != b"application/json":
        media = _header_text("content-type", content_type).partition(";")[0].strip().lower()
        if media == STRUCTURED:
            return Mode.STRUCTURED
        if media.startswith("application/cloudevents"):
            raise Unreadable("not_cloudevent", "events come one a record and in the JSON format")
    if "ce_specversion" in headers or any(name.startswith("ce_") for name in headers):
        return Mode.BINARY
    if not content_type:
        return Mode.STRUCTURED
    if media in (JSON, "text/json") or media.endswith("+json"):
        return Mode.PLAIN
    raise Unreadable(
        "not_cloudevent", "there are no ce_ headers and the content type is not that of an event"
    )


_IDENTIFYING: Final = ("specversion", "id", "source", "type")


def _plain_event(value: bytes | None) -> Any:
    """A structured event whose content type only says JSON; anything else under it is none."""
    try:
        document = decode_json(value)
    except Unreadable:
        document = None
    if type(document) is dict and all(document.get(name) is not None for name in _IDENTIFYING):
        return document
    raise Unreadable(
        "not_cloudevent",
        f"there are no ce_ headers and the value is not a JSON object with {', '.join(_IDENTIFYING)}",
    )


def _attributes(headers: Mapping[str, bytes | None]) -> dict[str, str]:
    """The attributes of binary mode that decide something."""
    try:
        return {
            name: content.decode() for header, name in _NEEDED if (content := headers.get(header)) is not None
        }
    except UnicodeDecodeError:
        return {
            name: _header_text(header, content)
            for header, name in _NEEDED
            if (content := headers.get(header)) is not None
        }


def _header_text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Unreadable("bad_encoding", f"header {name} is not UTF-8") from None


def _told(headers: Headers) -> dict[str, str]:
    """The attributes of binary mode that decide nothing, as far as they are text."""
    found: dict[str, str] = {}
    for name, content in headers:
        if content is not None and name in ("ce_subject", "ce_dataschema"):
            with contextlib.suppress(UnicodeDecodeError):
                found[name[3:]] = content.decode()
    return found


def _refuse_contradictions(headers: Headers) -> None:
    seen: dict[str, bytes | None] = {}
    for name, value in headers:
        if name in _DECIDING and seen.setdefault(name, value) != value:
            raise Unreadable("not_cloudevent", f"header {name} is given twice with different values")


def _check_version(version: object) -> None:
    if version == "1.0":
        return
    if type(version) is not str or _VERSION.fullmatch(version) is None:
        raise Unreadable("not_cloudevent", "specversion is not 1.x")


def _check_type(kind: object, wanted: str | None) -> None:
    if kind is None:
        raise missing("type")
    if type(kind) is not str:
        raise Unreadable("bad_field", "type is not a string")
    if wanted is not None and kind != wanted:
        raise Unreadable("wrong_type", f"the type is not {wanted}")


def _structured_data(document: dict[str, Any]) -> Any:
    encoded = document.get("data_base64")
    if encoded is None:
        return document.get("data")
    if document.get("data") is not None:
        raise Unreadable("not_cloudevent", "there are both data and data_base64")
    if type(encoded) is not str:
        raise Unreadable("bad_field", "data_base64 is not a string")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("bad_field", "data_base64 is not base64") from None
    return decode_json(content)


def _object(data: Any) -> dict[str, Any]:
    if data is None:
        raise missing("data")
    if type(data) is not dict:
        raise no_object(data)
    return data


def no_object(data: object) -> Unreadable:
    """That the data is no object; of a string that holds one, the commonest slip of event libraries, exactly
    that.
    """
    if type(data) is str:
        with contextlib.suppress(Unreadable, UnicodeEncodeError):
            if type(decode_json(data.encode())) is dict:
                return Unreadable("bad_field", "data is a string holding JSON, not the JSON object itself")
    return Unreadable("bad_field", "data is not an object")


def _time(value: object) -> datetime | None:
    return None if value is None else instant(value, "time")


def _if_text(value: object) -> str | None:
    try:
        return None if value is None else text(value, "", 4096)
    except Unreadable:
        return None


_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(attributes: Mapping[str, Any], headers: Headers) -> str | None:
    """The W3C trace context: the event's own attribute, else a `traceparent` header as tracing libraries set
    it.

    As the W3C asks, one that cannot be read is as good as none: a broken trace never costs a transaction.
    """
    given = attributes.get("traceparent")
    if given is None:
        for name, value in headers:
            if name in ("ce_traceparent", "traceparent") and value is not None:
                given = value.decode("ascii", "replace")
                break
    return given if type(given) is str and _TRACEPARENT.fullmatch(given) is not None else None


# --- Messages -----------------------------------------------------------------------------------------------


def write(
    *,
    type: str,
    source: str,
    id: str,
    time: datetime,
    data: Mapping[str, Any] | bytes,
    subject: str | None,
    traceparent: str | None = None,
    dataschema: str | None = None,
) -> Outgoing:
    """A record in binary mode with `content-type: application/json`; the key of the record is the subject.

    `data` is an object, or its JSON already made.
    """
    headers: list[tuple[str, bytes | None]] = [
        ("content-type", JSON.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_id", id.encode()),
        ("ce_time", printed_instant(time).encode()),
        ("ce_dataschema", (dataschema or schema_uri(type)).encode()),
    ]
    if subject is not None:
        headers.append(("ce_subject", subject.encode()))
    if traceparent is not None:
        headers.append(("ce_traceparent", traceparent.encode()))
    value = data if isinstance(data, bytes) else orjson.dumps(data)
    return Outgoing(None if subject is None else subject.encode(), value, tuple(headers))


def structured(
    *,
    type: str,
    source: str,
    id: str,
    time: str,
    subject: str,
    data: Mapping[str, Any],
    traceparent: str | None = None,
) -> dict[str, Any]:
    """The same event in structured mode, as a JSON object; `time` is printed already."""
    event = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": type,
        "time": time,
        "subject": subject,
        "datacontenttype": JSON,
        "dataschema": schema_uri(type),
        "data": data,
    }
    return event if traceparent is None else {**event, "traceparent": traceparent}


def schema_uri(type: str) -> str:
    """The `dataschema` of a type of event, which is also the `$id` of its JSON Schema."""
    return f"urn:keypost:schema:{type}"


class Message(Part):
    """The data of one type of event, as a frozen model with the names of the published contract.

    Subclasses name their type, their source (None where others send it) and their topic, and say what their
    key is.
    """

    TYPE: ClassVar[str]
    SOURCE: ClassVar[str | None] = None
    TOPIC: ClassVar[str]

    @property
    def key(self) -> str:
        """The key of the record, which is also the subject of the event."""
        raise NotImplementedError

    @classmethod
    def of(cls, envelope: Envelope) -> Self | Invalid:
        """The checked data of an event that was read already."""
        if envelope.type != cls.TYPE:
            return Invalid("wrong_type", f"the type is not {cls.TYPE}")
        try:
            return cls.model_validate_json(envelope.data_json())
        except ValidationError as fault:
            return _first_fault(fault)

    def outgoing(
        self, *, id: str, time: datetime, traceparent: str | None = None, source: str | None = None
    ) -> Outgoing:
        """The record that carries this message."""
        origin = source or self.SOURCE
        if origin is None:
            raise ValueError(f"{type(self).__name__} needs a source")
        return write(
            type=self.TYPE,
            source=origin,
            id=id,
            time=time,
            subject=self.key,
            data=self.model_dump_json().encode(),
            traceparent=traceparent,
        )


def _first_fault(fault: ValidationError) -> Invalid:
    error = fault.errors(include_url=False)[0]
    path = _path(error["loc"])
    cause = error.get("ctx", {}).get("error")
    if error["type"] == "missing" or error["input"] is None:
        return Invalid("missing_field", f"{path} is missing")
    if isinstance(cause, Unreadable):
        return Invalid(cause.reason, cause.detail.replace("the value", path, 1))
    return Invalid("bad_field", f"{path} breaks its rule ({error['type']})")


def _path(steps: Sequence[int | str]) -> str:
    return ".".join(str(step) for step in steps) or "data"
