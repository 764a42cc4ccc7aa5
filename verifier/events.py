"""CloudEvents as they lie in Kafka, both modes, read by the contract alone.

This reader is deliberately generous: what it cannot read, nobody may have booked; what a service refuses although this
reader can read it has its dead letter, which is all that is asked for.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from verifier.topics import Record
from verifier.words import LINES, fen_of, shanghai_date

TRANSACTION: Final = "keypost.counter.transaction.v1"
_AMOUNT: Final = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_STRUCTURED: Final = "application/cloudevents+json"


class UnreadableError(ValueError):
    """The record is no event, or breaks a rule of its fields."""


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    source: str
    type: str
    data: dict[str, Any]


class Said(NamedTuple):
    """The content of a transaction: what makes two arrivals the same (10-contracts, Envelope)."""

    customer_code: str
    counter_id: str
    line: str
    kind: str
    amount_fen: int
    occurred_at: datetime
    business_date: date
    settlement: str
    pieces: int | None
    reverses: str | None
    manager_id: str | None = None
    clerk_id: str | None = None
    payer_uscc: str | None = None
    payer_name_hash: str | None = None
    product: str | None = None
    destination: str | None = None

    @property
    def kept(self) -> tuple[object, ...]:
        """The part that the ledger has always kept: all but the evidence and the sale's name, of which it keeps the
        identity."""
        return self[:9]

    @property
    def evidence(self) -> tuple[object, ...]:
        return self[10:]


def read_event(record: Record) -> Event:
    """The event of a record. Raises UnreadableError."""
    headers = dict(record.headers or ())
    media = _text_of(headers.get("content-type")).partition(";")[0].strip().lower()
    bound = any(name.startswith("ce_") for name in headers)
    if media == _STRUCTURED or not bound:
        document = _json(record.value)
        if not isinstance(document, dict) or "specversion" not in document:
            raise UnreadableError("no event")
        data = document.get("data")
        if data is None and isinstance(document.get("data_base64"), str):
            try:
                data = _json(base64.b64decode(document["data_base64"], validate=True))
            except ValueError:
                raise UnreadableError("data_base64") from None
        return _event(document, data)
    attributes = {name[3:]: _text_of(value) for name, value in headers.items() if name.startswith("ce_")}
    return _event(attributes, _json(record.value))


def _event(attributes: dict[str, Any], data: object) -> Event:
    if not isinstance(data, dict):
        raise UnreadableError("data is no object")
    if not str(attributes.get("specversion")).startswith("1."):
        raise UnreadableError("specversion")
    return Event(
        _text(attributes.get("id"), 255), _text(attributes.get("source"), 255),
        _text(attributes.get("type"), 255), data,
    )  # fmt: skip


def _json(value: bytes | None) -> object:
    try:
        return json.loads((value or b"").decode("utf-8"))
    except (ValueError, RecursionError):
        raise UnreadableError("no JSON") from None


def _text_of(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _text(value: object, most: int) -> str:
    if not isinstance(value, str):
        raise UnreadableError("no text")
    text = unicodedata.normalize("NFC", value)
    if not 1 <= len(text) <= most:
        raise UnreadableError("length of a text")
    return text


def _evidence(value: object) -> str | None:
    return None if value is None or value == "" else _text(value, 255)


def transaction_of(event: Event) -> Said:
    """The content of a transaction event. Raises UnreadableError."""
    if event.type != TRANSACTION:
        raise UnreadableError("another type")
    return said_of(event.data)


def said_of(data: dict[str, Any]) -> Said:
    """The content of a transaction's data, after defaults. Raises UnreadableError."""
    amount, pieces, kind = data.get("amount"), data.get("pieces"), data.get("kind")
    if not isinstance(amount, str) or _AMOUNT.fullmatch(amount) is None or fen_of(amount) == 0:
        raise UnreadableError("amount")
    if data.get("line") not in LINES or kind not in ("sale", "reversal"):
        raise UnreadableError("line or kind")
    if pieces is not None and (type(pieces) is not int or pieces < 0):
        raise UnreadableError("pieces")
    settlement = data.get("settlement")
    if settlement not in (None, "cash", "credit"):
        raise UnreadableError("settlement")
    occurred_at = _instant(data.get("occurred_at"))
    given = data.get("business_date")
    reverses = data.get("reverses")
    return Said(
        customer_code=_text(data.get("customer_code"), 32),
        counter_id=_text(data.get("counter_id"), 32),
        line=str(data["line"]),
        kind=str(kind),
        amount_fen=fen_of(amount),
        occurred_at=occurred_at,
        business_date=shanghai_date(occurred_at) if given is None else _day(given),
        settlement=str(settlement or "cash"),
        pieces=pieces,
        reverses=None if reverses is None else _text(reverses, 255),
        manager_id=_evidence(data.get("manager_id")),
        clerk_id=_evidence(data.get("clerk_id")),
        payer_uscc=_evidence(data.get("payer_uscc")),
        payer_name_hash=_evidence(data.get("payer_name_hash")),
        product=_evidence(data.get("product")),
        destination=_evidence(data.get("destination")),
    )


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise UnreadableError("date") from None


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise UnreadableError("instant")
    text = value.upper()
    leap = text[17:19] == "60"
    try:
        moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}" if leap else text)
        if moment.tzinfo is None:
            raise UnreadableError("instant without its offset")
        moment = moment.astimezone(UTC)
        # A leap second reads as the second after it, whatever fraction it has.
        return moment.replace(microsecond=0) + timedelta(seconds=1) if leap else moment
    except (ValueError, OverflowError):
        raise UnreadableError("instant") from None
