"""Who sent a record that cannot be read, as far as that can be told: for the receipt that says so to its counter.

The readers refuse a record with its first broken rule. The counter and the identity may be perfectly plain all the
same: only `time` has a blank instead of a T, the data is a string holding JSON, a product is written in GBK, a name
stands twice. Here everything but these three is passed over. What is too long is not looked into at all.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final, NamedTuple

from shared.contracts.envelope import STRUCTURED, VALUE_BYTES_MAX, Readable, traceparent_of
from shared.contracts.fields import CODE_LENGTH_MAX, IDENTITY_LENGTH_MAX, Unreadable, text

_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for bytes that are no text: a name with one of these is nobody's."""


class Sender(NamedTuple):
    """The counter, and the identity of what it sent."""

    counter_id: str
    source: str
    id: str
    traceparent: str | None


def sender_of(record: Readable) -> Sender | None:
    """The sender of a record that broke a rule; None where its counter or the identity is not to be read."""
    value = record.value
    if value is None or len(value) > VALUE_BYTES_MAX:
        return None
    document = _object(value)
    headers = {name: _text(content) for name, content in record.headers if content is not None}
    attributes, data = document, _data(document)
    if not headers.get("content-type", "").lower().startswith(STRUCTURED) and "ce_id" in headers:
        attributes, data = {"id": headers["ce_id"], "source": headers.get("ce_source")}, document
    try:
        return Sender(
            _readable(data.get("counter_id"), CODE_LENGTH_MAX),
            _readable(attributes.get("source"), IDENTITY_LENGTH_MAX),
            _readable(attributes.get("id"), IDENTITY_LENGTH_MAX),
            traceparent_of(attributes, record.headers),
        )
    except Unreadable:
        return None


def _data(document: dict[str, Any]) -> dict[str, Any]:
    """The data of an event in structured mode, also where it is text or bytes that hold it."""
    data = document.get("data")
    if type(data) is dict:
        return data
    if type(data) is str:
        return _object(data.encode(errors="replace"))
    encoded = document.get("data_base64")
    if type(encoded) is str:
        try:
            return _object(base64.b64decode(encoded))
        except (binascii.Error, ValueError):
            return {}
    return {}


def _object(content: bytes) -> dict[str, Any]:
    """The JSON object that bytes hold, or that a JSON string in them holds; empty where there is none."""
    try:
        document = json.loads(_text(content), parse_int=float)
        if type(document) is str:
            document = json.loads(document, parse_int=float)
    except (ValueError, RecursionError):
        return {}
    return document if type(document) is dict else {}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _readable(value: object, length_max: int) -> str:
    found = text(value, "the value", length_max)
    if _UNKNOWN in found:
        raise Unreadable("bad_encoding", "the value is not text")
    return found
