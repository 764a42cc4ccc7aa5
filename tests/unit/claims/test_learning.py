"""What claims learns: of anything that arrives, the good states; the rest are its dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from hypothesis import given

from services.claims.handlers.learn import TOPICS, Learn
from shared.messaging.records import Record
from shared.messaging.states import StateRecord
from shared.messaging.work import Work
from tests.support.states import Sent, arbitrary_records, customer, poisons, unit


class Kept:
    """A store that remembers what it was given."""

    def __init__(self) -> None:
        self.states: list[Any] = []

    async def keep_units(self, told: Sequence[StateRecord[Any]]) -> None:
        self.states += [one.state for one in told]

    keep_customers = keep_units


class NobodyPlans:
    """A desk at which no customer has a plan."""

    @property
    def store(self) -> NobodyPlans:
        return self

    async def subjects_concerned(self, customer_codes: Sequence[str]) -> list[tuple[str, int]]:
        return []


def _take(records: Sequence[Record]) -> tuple[list[Any], Work]:
    kept = Kept()
    work = Work(cast(Any, None), datetime(2026, 3, 9, tzinfo=UTC), "claims")
    asyncio.run(Learn(lambda _work: kept, lambda _work: cast(Any, NobodyPlans())).handle(work, records))
    return kept.states, work


@given(arbitrary_records(TOPICS))
def test_arbitrary_bytes_never_raise_and_all_become_dead_letters(records: list[Record]) -> None:
    states, work = _take(records)
    assert states == []
    assert [letter.record for letter in work.dead_letters] == records


def test_every_class_of_bad_message_gets_its_reason_and_the_newest_good_states_are_kept() -> None:
    newest = [unit(version=2), customer("A1", version=2)]
    wrong = [*poisons(unit()).items(), *poisons(customer("A1")).items()]
    sent = [*(one for _, one in wrong), *(Sent.of(one) for one in (*newest, unit(), customer("A1")))]
    records = [Record(one.topic, 0, at, one.key, one.value, one.headers, 0) for at, one in enumerate(sent)]
    states, work = _take(records)
    assert [letter.reason for letter in work.dead_letters] == [reason for reason, _ in wrong]
    assert states == newest
