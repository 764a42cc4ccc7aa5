"""Reading topics of states: every record as its message, the unreadable to the dead letters, the newest of each key.

A topic of states can be read again from any place. What keeps that harmless is one rule: of two states of a key the one
with the higher version holds, and of two with one version the later record; an older state changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from shared.contracts import envelope
from shared.contracts.envelope import Envelope, Message
from shared.contracts.fields import Invalid
from shared.messaging.records import Record
from shared.messaging.work import Work

State = TypeVar("State", bound=Message)


class StateRecord(NamedTuple, Generic[State]):
    """A state, the event that told it and the record that carried it."""

    state: State
    event: Envelope
    record: Record


def read_states(
    work: Work, records: Sequence[Record], kinds: Mapping[str, type[Message]]
) -> list[StateRecord[Any]]:
    """The messages of the records in their order, each of the kind that its topic carries; what is not one becomes a
    dead letter."""
    told = []
    for record in records:
        event = envelope.read(record)
        state = event if isinstance(event, Invalid) else kinds[record.topic].of(event)
        if isinstance(state, Invalid):
            work.dead_letter(record, state.reason, state.detail)
        elif not isinstance(event, Invalid):
            told.append(StateRecord(state, event, record))
    return told


def newest(
    told: Iterable[StateRecord[State]],
    key: Callable[[State], object],
    version: Callable[[State], int],
) -> list[StateRecord[State]]:
    """The state of each key that holds after all of these, in the order of their keys' first appearance."""
    found: dict[object, StateRecord[State]] = {}
    for one in told:
        before = found.get(key(one.state))
        if before is None or (version(before.state), before.record.offset) < (
            version(one.state),
            one.record.offset,
        ):
            found[key(one.state)] = one
    return list(found.values())
