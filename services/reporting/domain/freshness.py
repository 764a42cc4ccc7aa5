"""How far a view reflects its topics (REP-2): for each partition the highest offset and the latest event time seen.

Both only ever grow. A view that reads old records again still shows everything it showed before, so it is no older than
it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """One record that a view has taken in. `event_at` is None where the record could not be read or named no time."""

    topic: str
    partition: int
    offset: int
    event_at: datetime | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a view reflects of one partition: everything up to and including `offset`."""

    view: str
    topic: str
    partition: int
    offset: int
    event_at: datetime | None


def freshness(seen: Iterable[Seen], view_of: Mapping[str, str]) -> list[Freshness]:
    """The freshness that these records give, one for each partition, by topic and partition."""
    found: dict[tuple[str, int], Freshness] = {}
    for one in seen:
        place = (one.topic, one.partition)
        before = found.get(place)
        found[place] = Freshness(
            view_of[one.topic],
            one.topic,
            one.partition,
            one.offset if before is None else max(before.offset, one.offset),
            one.event_at if before is None else _later(before.event_at, one.event_at),
        )
    return [found[place] for place in sorted(found)]


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
