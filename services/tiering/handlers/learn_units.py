"""Learn where the units of the organisation stand: whose a counter is decides what its codes mean (REG-10, TIE-5).

A unit may be told after a mapping that counts on it. What its counters sent in between is held as an unknown code, and is
placed again once the unit is known or stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from services.tiering.domain.booking import Books, Rulebook
from services.tiering.domain.holding import FREED_BY_CODE
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.ports import UnitStore
from services.tiering.handlers.preparing import prepare
from shared.contracts.envelope import Message
from shared.contracts.registry_v1 import UnitState
from shared.messaging.records import Record
from shared.messaging.states import newest, read_states
from shared.messaging.work import Work

KINDS: Final[dict[str, type[Message]]] = {UnitState.TOPIC: UnitState}


class LearnUnits:
    """The handler of `registry.units.v1`."""

    def __init__(self, rules: Rulebook, open_store: Callable[[Work], UnitStore], keeper: Keeper) -> None:
        self._rules = rules
        self._open_store = open_store
        self._keeper = keeper

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        told = newest(
            read_states(work, records, KINDS), lambda unit: unit.unit_code, lambda unit: unit.version
        )
        if not told:
            return
        store = self._open_store(work)
        head, closed = await store.open()
        books = Books(self._rules, head, closed, work.now)
        moved = await store.keep_units([one.state for one in told])
        if moved:
            holds = await store.held_at_counters(moved, FREED_BY_CODE)
            books.holds.update((hold.number, hold) for hold in holds)
            await prepare(books, store, [hold.arrived for hold in holds])
            for hold in holds:
                books.place(hold.arrived, hold)
        await self._keeper.keep(work, store, books)

    def discard(self) -> None:
        """Nothing to drop: everything is in the database."""
