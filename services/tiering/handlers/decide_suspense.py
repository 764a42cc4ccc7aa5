"""A steward's decisions about held transactions (TIE-1, TIE-3), and the end of a reversal's wait for its sale (TIE-4).

`keep` and `close` never book what is held. `book` books it although its date was doubted. `replace` takes a conflict's
second content for the true one: the first is booked back (`<id>~1`) and the held one booked (`<id>~2`), each on its own
business date, so that totals follow and the ledger shows what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from services.tiering.domain.booking import Books, Rulebook
from services.tiering.domain.entries import Arrival, HeldTransaction, HoldState
from services.tiering.domain.holding import FOR_A_STEWARD, HoldReason
from services.tiering.domain.refusals import NotForReason, NotHeldAnyMore
from services.tiering.handlers.arrivals import renamed
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.ports import Decision, SuspenseStore
from services.tiering.handlers.preparing import bring, prepare
from shared.messaging.work import Work

DECISIONS: Final = ("keep", "replace", "book", "close")


def allowed_for(reason: HoldReason) -> tuple[str, ...]:
    """What a steward may decide about a transaction held for this reason."""
    if reason is HoldReason.CONFLICT:
        return ("keep", "replace")
    if reason in FOR_A_STEWARD:
        return ("book", "close")
    return ("close",)


class DecideSuspense:
    """Commands on rows of suspense."""

    def __init__(self, rules: Rulebook, open_store: Callable[[Work], SuspenseStore], keeper: Keeper) -> None:
        self._rules = rules
        self._open_store = open_store
        self._keeper = keeper

    async def decide(self, work: Work, decision: Decision) -> HeldTransaction | NotHeldAnyMore | NotForReason:
        store = self._open_store(work)
        books = await self._books(work, store)
        hold = await store.hold(decision.number)
        if hold is None:
            return NotHeldAnyMore(decision.number)
        allowed = allowed_for(hold.reason)
        if decision.decision not in allowed:
            return NotForReason(hold.reason.value, decision.decision, allowed)
        books.holds[hold.number] = hold
        await store.record_decision(decision)
        if decision.decision == "book":
            await prepare(books, store, [hold.arrived])
            books.place(hold.arrived, hold)
        elif decision.decision == "replace":
            await self._replace(books, store, hold)
        else:
            books.close_hold(hold)
        await self._keeper.keep(work, store, books, decision.by)
        return hold

    async def end_waiting(self, work: Work, number: int) -> None:
        """A reversal whose sale has not come in 35 days is booked as an unnamed one (TIE-4)."""
        store = self._open_store(work)
        books = await self._books(work, store)
        hold = await store.hold(number)
        if hold is None or hold.reason is not HoldReason.SALE_UNKNOWN:
            return
        books.holds[hold.number] = hold
        unnamed = _without_sale(hold.arrived)
        hold.arrived = unnamed
        await prepare(books, store, [unnamed])
        books.place(unnamed, hold)
        await self._keeper.keep(work, store, books)

    async def _books(self, work: Work, store: SuspenseStore) -> Books:
        head, closed = await store.open()
        return Books(self._rules, head, closed, work.now)

    async def _replace(self, books: Books, store: SuspenseStore, hold: HeldTransaction) -> None:
        first = await store.first_of(hold.arrived.identity)
        for other in await store.held_under(hold.arrived.identity):
            if other.reason is not HoldReason.CONFLICT:
                # The first content waits itself: it must never be booked beside the one that replaces it.
                books.close_hold(books.holds.setdefault(other.number, other))
        second = renamed(hold.arrived, "~2")
        await prepare(books, store, [second])
        if first is not None:
            booked, number = first
            back = renamed(_opposite(booked), "~1")
            await bring(books, store, [number])
            books.claim(back)
            books.book(back, books.survivor(number))
        books.claim(second)
        before = books.seq
        books.place(second)
        if books.seq > before:
            # From now on a reversal that names the sale means the content that replaced the first.
            books.pages.booked[hold.arrived.identity] = books.seq
        books.end_hold(hold, HoldState.BOOKED, "released")


def _opposite(arrived: Arrival) -> Arrival:
    """The booking that undoes another: same date, line and amount, the other kind, and no sale named."""
    kind: Literal["sale", "reversal"] = "reversal" if arrived.transaction.kind == "sale" else "sale"
    return arrived._replace(transaction=arrived.transaction._replace(kind=kind, reverses=None), reverses=None)


def _without_sale(arrived: Arrival) -> Arrival:
    return arrived._replace(transaction=arrived.transaction._replace(reverses=None), reverses=None)
