"""What the records of all topics say: messages by their kind, windows that are gone, dead letters.

A topic of states carries one type, and anything else on it is a dead letter. On topics of events a type or a kind of event
that this version does not know is passed over, as the contracts ask of their readers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, get_args

from services.reporting.handlers import letters
from services.reporting.handlers.letters import Letter, letter_of
from shared.contracts import envelope, fields, topics
from shared.contracts.claims_v1 import ClaimsEvent, ClaimsHappening, PlanState, WindowState
from shared.contracts.envelope import Envelope, Message
from shared.contracts.fields import Invalid, Unreadable
from shared.contracts.operation_v1 import DISPOSED
from shared.contracts.registry_v1 import (
    CustomerEvent,
    CustomerState,
    DeclarationState,
    Happening,
    RegistryAlert,
    UnitState,
)
from shared.contracts.tiering_v1 import RevenueState, SuspenseEvent, TierChanged, TierState
from shared.messaging.records import Record
from shared.messaging.states import StateRecord
from shared.messaging.work import Work

_STATES: Final[tuple[type[Message], ...]] = (
    UnitState,
    CustomerState,
    CustomerEvent,
    DeclarationState,
    TierState,
    TierChanged,
    RevenueState,
    SuspenseEvent,
    PlanState,
    WindowState,
)
_EVENTS: Final[tuple[type[Message], ...]] = (ClaimsEvent, RegistryAlert, *DISPOSED.values())

ONE_KIND: Final[Mapping[str, type[Message]]] = {kind.TOPIC: kind for kind in _STATES}
MANY_KINDS: Final[Mapping[str, Mapping[str, type[Message]]]] = {
    topic: {kind.TYPE: kind for kind in _EVENTS if topic == kind.TOPIC}
    for topic in dict.fromkeys(kind.TOPIC for kind in _EVENTS)
}
TOPICS: Final = (*ONE_KIND, *MANY_KINDS, *letters.TOPICS)

_KNOWN: Final[Mapping[type[Message], tuple[str, frozenset[str]]]] = {
    CustomerEvent: ("event", frozenset(get_args(Happening))),
    ClaimsEvent: ("event", frozenset(get_args(ClaimsHappening))),
    RegistryAlert: ("alert", frozenset(get_args(RegistryAlert.model_fields["alert"].annotation))),
}
"""The field that names what happened, and what this version knows of it."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A tombstone of the windows: this customer has none."""

    window_key: str
    record: Record


@dataclass(slots=True)
class Read:
    """What a batch says."""

    told: dict[type[Message], list[StateRecord[Any]]] = field(default_factory=dict)
    windows: list[StateRecord[WindowState] | Gone] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    times: dict[tuple[str, int, int], datetime | None] = field(default_factory=dict)
    """The event time of each record that could be read."""

    def of(self, kind: type[Message]) -> list[StateRecord[Any]]:
        return self.told.get(kind, [])


def read(work: Work, records: Sequence[Record]) -> Read:
    """The records in their order; what cannot be read becomes a dead letter, except for what is one already."""
    found = Read()
    for record in records:
        if record.topic in letters.TOPICS:
            letter = letter_of(record)
            if letter is not None:
                found.letters.append(letter)
                found.times[record[:3]] = letter.failed_at
        elif record.topic == topics.WINDOWS and record.value is None:
            _bury(work, record, found)
        else:
            _message(work, record, found)
    return found


def _message(work: Work, record: Record, found: Read) -> None:
    event = envelope.read(record)
    if isinstance(event, Invalid):
        work.dead_letter(record, event.reason, event.detail)
        return
    kind = MANY_KINDS[record.topic].get(event.type) if record.topic in MANY_KINDS else ONE_KIND[record.topic]
    if kind is None or _is_news(kind, event):
        found.times[record[:3]] = event.time
        return
    message = kind.of(event)
    if isinstance(message, Invalid):
        work.dead_letter(record, message.reason, message.detail)
        return
    found.times[record[:3]] = event.time
    told: StateRecord[Any] = StateRecord(message, event, record)
    if kind is WindowState:
        found.windows.append(told)
    else:
        found.told.setdefault(kind, []).append(told)


def _is_news(kind: type[Message], event: Envelope) -> bool:
    """Whether it is of this type and tells of something that came into the contract after this version."""
    if kind not in _KNOWN or event.type != kind.TYPE:
        return False
    name, known = _KNOWN[kind]
    said = event.data.get(name)
    return isinstance(said, str) and said not in known


def _bury(work: Work, record: Record, found: Read) -> None:
    try:
        key = fields.text((record.key or b"").decode(), "the key", fields.IDENTITY_LENGTH_MAX)
    except UnicodeDecodeError:
        work.dead_letter(record, "bad_encoding", "the key is not UTF-8")
    except Unreadable as fault:
        work.dead_letter(record, fault.reason, fault.detail)
    else:
        found.windows.append(Gone(key, record))
        found.times[record[:3]] = _time(record)


def _time(record: Record) -> datetime | None:
    """A tombstone keeps the headers of its event, its time among them."""
    for name, value in record.headers:
        if name == "ce_time" and value is not None:
            with contextlib.suppress(Unreadable):
                return fields.instant(value.decode("ascii", "replace"), "time")
    return None


def last_of_each(windows: Iterable[StateRecord[WindowState] | Gone]) -> list[StateRecord[WindowState] | Gone]:
    """The last record of each key; a key has one partition, so offsets give the order."""
    found: dict[str, StateRecord[WindowState] | Gone] = {}
    for one in windows:
        key = one.window_key if isinstance(one, Gone) else one.state.window_key
        before = found.get(key)
        if before is None or before.record.offset < one.record.offset:
            found[key] = one
    return list(found.values())
