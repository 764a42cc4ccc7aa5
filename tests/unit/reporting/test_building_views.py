"""Folding records into views: what arrives can be anything, in any order, twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.freshness import Freshness, Seen, freshness
from services.reporting.handlers import letters
from services.reporting.handlers.build_views import TOPICS, VIEWS, BuildViews
from shared.contracts import fields
from shared.contracts.topics import WINDOWS
from shared.messaging.records import Record
from shared.messaging.states import StateRecord, newest
from shared.messaging.work import Work
from tests.support.states import Sent, arbitrary_records, change, customer, poisons, tier, unit

NOON = datetime(2026, 3, 9, 4, 0, tzinfo=UTC)


class Kept:
    """A store that remembers what it was given."""

    def __init__(self, _work: Work) -> None:
        self.told: list[Any] = []
        self.announced: list[str] = []
        self.freshness: list[Freshness] = []

    async def open(self) -> None: ...

    async def keep(self, _kind: Any, told: Sequence[Any]) -> None:
        self.told += told

    async def keep_windows(self, windows: Sequence[Any]) -> None:
        self.told += windows

    keep_held = keep_letters = keep_disposals = keep_windows

    async def follow(self) -> None: ...

    async def keep_freshness(self, reached: Sequence[Freshness]) -> None:
        self.freshness += reached

    async def announce(self, views: Sequence[str]) -> None:
        self.announced = list(views)


def _work() -> Work:
    return Work(cast(Any, None), NOON, "reporting")


@given(arbitrary_records(TOPICS))
def test_arbitrary_bytes_never_raise_and_all_but_dead_letters_and_tombstones_become_dead_letters(
    records: list[Record],
) -> None:
    work = _work()
    asyncio.run(BuildViews(Kept).handle(work, records))
    wrong = [
        record
        for record in records
        if record.topic not in letters.TOPICS
        and not (record.topic == WINDOWS and record.value is None and _named(record))
    ]
    assert [letter.record for letter in work.dead_letters] == wrong


def _named(record: Record) -> bool:
    """Whether its key can name a window."""
    try:
        fields.text((record.key or b"").decode(), "key", 255)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("message", [unit(), customer("A1"), tier("A1"), change("A1")], ids=lambda m: m.TOPIC)
def test_every_class_of_bad_message_gets_its_reason_and_the_good_ones_beside_it_are_kept(
    message: Any,
) -> None:
    kept: list[Kept] = []

    def store(work: Work) -> Kept:
        kept.append(Kept(work))
        return kept[-1]

    wrong = poisons(message)
    sent = [Sent.of(message), *wrong.values()]
    records = [Record(message.TOPIC, 0, n, one.key, one.value, one.headers, 0) for n, one in enumerate(sent)]
    work = _work()
    asyncio.run(BuildViews(store).handle(work, records))
    assert [letter.reason for letter in work.dead_letters] == list(wrong)
    assert [told.state for told in kept[0].told] == [message]
    assert [(at.view, at.offset) for at in kept[0].freshness] == [(VIEWS[message.TOPIC], len(wrong))]


def _told(offset: int, version: int) -> StateRecord[Any]:
    state = customer("A1", version=version)
    record = Record(state.TOPIC, 0, offset, b"A1", b"", (), 0)
    return StateRecord(state, cast(Any, None), record)


@pytest.mark.req("PLT-5")
@given(st.lists(st.integers(1, 4), min_size=1), st.randoms())
def test_the_newest_state_holds_whatever_the_order(versions: list[int], chance: Any) -> None:
    told = [_told(offset, version) for offset, version in enumerate(versions)]
    expected = max(told, key=lambda one: (one.state.version, one.record.offset))
    chance.shuffle(told)
    assert newest(told, lambda state: state.customer_code, lambda state: state.version) == [expected]


@pytest.mark.req("REP-2")
def test_a_view_is_as_fresh_as_its_highest_offset_and_latest_event() -> None:
    later = datetime(2026, 3, 10, tzinfo=UTC)
    seen = [Seen("t", 1, 7, later), Seen("t", 1, 9, NOON), Seen("t", 0, 3, None), Seen("t", 1, 8, None)]
    assert freshness(seen, {"t": "v"}) == [Freshness("v", "t", 0, 3, None), Freshness("v", "t", 1, 9, later)]
