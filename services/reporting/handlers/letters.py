"""Dead letters as they lie on the four topics: anything may be in them, so nothing here can fail.

A letter that our own code could not take would become a dead letter of ours, which we would read again, and so on for
ever. So what cannot be read of a letter is left out, and a dead letter about a dead letter is passed over: it is in
`keypost dead-letters list`, and the fault is ours.
"""

from __future__ import annotations

import contextlib
import unicodedata
from datetime import datetime
from typing import Any, Final, NamedTuple, get_args

from shared.contracts import envelope, fields
from shared.contracts.counter_v1 import Line
from shared.contracts.fields import Invalid, Unreadable
from shared.contracts.topics import SERVICES, dead_letter_topic
from shared.messaging.records import Record, header

TOPICS: Final = {dead_letter_topic(service): service for service in SERVICES}
UNKNOWN: Final = "unknown"
"""The reason of a letter whose header does not say it."""

_TEXT_MAX: Final = 255
_DETAIL_MAX: Final = 2_000
_LINES: Final = frozenset(get_args(Line))


class Letter(NamedTuple):
    """A dead letter: where its message came from, why it was given up, and what could be read of it."""

    service: str
    origin_topic: str
    origin_partition: int
    origin_offset: int
    reason: str
    detail: str
    failed_at: datetime | None
    customer_code: str | None
    counter_id: str | None
    line: str | None
    amount_fen: int | None
    value_bytes: int
    partition: int
    """Of the dead letter itself, as is `offset`."""
    offset: int


def letter_of(record: Record) -> Letter | None:
    """The letter that a record of a dead-letter topic is; None for one about a dead letter. A letter that does not say
    where it came from is named by where it lies."""
    topic = _text(record, "x-origin-topic", _TEXT_MAX)
    if topic in TOPICS:
        return None
    partition, offset = _number(record, "x-origin-partition"), _number(record, "x-origin-offset")
    origin = (topic, partition, offset)
    if topic == "" or partition is None or offset is None:
        origin = (record.topic, record.partition, record.offset)
    said = _said(record)
    return Letter(
        TOPICS[record.topic],
        *origin,  # type: ignore[arg-type]
        reason=_text(record, "x-reason", _TEXT_MAX) or UNKNOWN,
        detail=_text(record, "x-detail", _DETAIL_MAX),
        failed_at=_instant(record),
        customer_code=_code(said, "customer_code"),
        counter_id=_code(said, "counter_id"),
        line=_line(said.get("line")),
        amount_fen=_amount(said.get("amount")),
        value_bytes=len(record.value or b""),
        partition=record.partition,
        offset=record.offset,
    )


def _text(record: Record, name: str, length_max: int) -> str:
    """A header as text that the database takes, without what nobody could see anyway."""
    found = (header(record, name) or b"")[: 4 * length_max].decode("utf-8", "replace")
    return "".join(one for one in found if unicodedata.category(one) != "Cc")[:length_max]


def _number(record: Record, name: str) -> int | None:
    printed = header(record, name) or b""
    return int(printed) if printed.isdigit() and len(printed) <= 18 else None


def _instant(record: Record) -> datetime | None:
    with contextlib.suppress(Unreadable):
        return fields.instant(_text(record, "x-failed-at", _TEXT_MAX), "x-failed-at")
    return None


def _said(record: Record) -> dict[str, Any]:
    """The data of the message, where it is an event at all; nobody has checked its fields."""
    event = envelope.read(record)
    return {} if isinstance(event, Invalid) else event.data


def _code(said: dict[str, Any], name: str) -> str | None:
    with contextlib.suppress(Unreadable):
        return fields.code(said.get(name), name)
    return None


def _line(said: object) -> str | None:
    return said if isinstance(said, str) and said in _LINES else None


def _amount(said: object) -> int | None:
    with contextlib.suppress(Unreadable):
        return fields.amount(said, "amount")
    return None
