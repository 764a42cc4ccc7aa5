"""The end of every unit of work on the ledger: what the books decided is stored, told, and what waits gets its timer."""

from __future__ import annotations

from dataclasses import dataclass

from services.tiering.domain.booking import Books
from services.tiering.domain.entries import HeldTransaction
from services.tiering.handlers import telling
from services.tiering.handlers.ports import LedgerStore, StartWait
from shared.contracts.counter_systems import CounterSystem
from shared.messaging.work import Work


@dataclass(frozen=True, slots=True)
class Keeper:
    """How units of work end: what starts the timer of something that waits, and the counter systems that get receipts on
    topics of their own."""

    start_wait: StartWait
    systems: tuple[CounterSystem, ...] = ()

    async def keep(self, work: Work, store: LedgerStore, books: Books, decided_by: str | None = None) -> None:
        """Store the pages of the books and tell them; the pages are empty afterwards. `decided_by` is the person whose
        decision led to them."""
        outcome = books.take()
        pages = outcome.pages
        changes = [(change, telling.tier_changed(change)) for change in pages.changes]
        await store.keep(outcome, changes)
        for held in _waiting(pages.new_holds, pages.changed_holds):
            await self.start_wait(work, held)
        for change, event in changes:
            work.publish(telling.of_change(event, change.traceparent))
        for outgoing in telling.tier_states(books, pages):
            work.publish(outgoing)
        for step in pages.suspense_steps:
            for outgoing in telling.suspense_step(step, books, self.systems, decided_by):
                work.publish(outgoing)


def _waiting(new: list[HeldTransaction], changed: dict[int, HeldTransaction]) -> list[HeldTransaction]:
    """What waits for a sale since these books; a row may have been held and changed in one of them."""
    held = {one.number: one for one in (*new, *changed.values())}
    return [one for one in held.values() if one.waits_for is not None]
