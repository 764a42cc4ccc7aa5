"""What is held in suspense, folded from its events: since when from the first of them, how it stands from the last.

An event names the transaction by source and id. Of one identity several contents can be held (a conflict), so an item is
the identity together with the content that the event tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

import orjson

from shared.contracts.tiering_v1 import SuspenseEvent
from shared.ids import uuid_of
from shared.messaging.states import StateRecord


@dataclass(frozen=True, slots=True)
class HeldItem:
    """One held content as far as these events tell it; `held_at` is None where none of them tells of its holding."""

    item: UUID
    last: StateRecord[SuspenseEvent]
    held_at: datetime | None
    first_offset: int


def held_items(told: Iterable[StateRecord[SuspenseEvent]]) -> list[HeldItem]:
    """One item for each held content. All events of an item have one key, so offsets give their order."""
    found: dict[UUID, list[StateRecord[SuspenseEvent]]] = {}
    for one in told:
        found.setdefault(item_of(one.state), []).append(one)
    return [_folded(item, events) for item, events in found.items()]


def _folded(item: UUID, events: list[StateRecord[SuspenseEvent]]) -> HeldItem:
    held = [one.state.at for one in events if one.state.state == "held"]
    return HeldItem(
        item,
        max(events, key=lambda one: one.record.offset),
        min(held, default=None),
        min(one.record.offset for one in events),
    )


def item_of(event: SuspenseEvent) -> UUID:
    """The name of the held content: equal for all events about it."""
    content = (
        event.source,
        event.id,
        event.customer_code,
        event.counter_id,
        event.line,
        event.kind,
        str(event.amount_fen),
        event.business_date,
    )
    return uuid_of(blake2b(orjson.dumps(content), digest_size=16).digest())
