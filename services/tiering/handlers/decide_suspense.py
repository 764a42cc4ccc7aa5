"""A steward's decisions about held transactions (TIE-1, TIE-3), and the end of a reversal's wait for its sale (TIE-4).

`keep` and `close` never book what is held. `book` books it although its date was doubted. `replace` takes a conflict's
second content for the true one: the first is booked back (`<id>~1`) and the held one booked (`<id>~2`), each on its own
business date, so that totals follow and the ledger shows what happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.tiering.domain.holding import FOR_A_STEWARD, HoldReason
from services.tiering.handlers.books import Books, Rulebook
from services.tiering.handlers.ports import Decision, LedgerStore, OpenStore
from services.tiering.handlers.postings import Arrived, Hold, HoldState
from services.tiering.handlers.preparing import bring, prepare
from shared.contracts.counter_v1 import Kind, identity
from shared.ids import uuid_of
from shared.messaging.work import Work

DECISIONS: Final = ("keep", "replace", "book", "close")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a decision was not taken: `not_held`, or `not_for_reason` with the decisions that the reason allows."""

    code: str
    reason: HoldReason | None = None
    allowed: tuple[str, ...] = ()


def allowed_for(reason: HoldReason) -> tuple[str, ...]:
    """What a steward may decide about a transaction held for this reason."""
    if reason is HoldReason.CONFLICT:
        return ("keep", "replace")
    if reason in FOR_A_STEWARD:
        return ("book", "close")
    return ("close",)


class DecideSuspense:
    """Commands on rows of suspense."""

    def __init__(self, rules: Rulebook, open_store: OpenStore) -> None:
        self._rules = rules
        self._open_store = open_store

    async def decide(self, work: Work, decision: Decision) -> Hold | Refused:
        store = self._open_store(work)
        books = await self._books(work, store)
        hold = await store.hold(decision.number)
        if hold is None:
            return Refused("not_held")
        allowed = allowed_for(hold.reason)
        if decision.decision not in allowed:
            return Refused("not_for_reason", hold.reason, allowed)
        books.holds[hold.number] = hold
        await store.decide(decision)
        if decision.decision == "book":
            await prepare(books, store, [hold.arrived])
            books.place(hold.arrived, hold)
        elif decision.decision == "replace":
            await self._replace(books, store, hold)
        else:
            books.close_hold(hold)
        await store.keep(books)
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
        await store.keep(books)

    async def _books(self, work: Work, store: LedgerStore) -> Books:
        head, closed = await store.open()
        return Books(self._rules, head, closed, work.now)

    async def _replace(self, books: Books, store: LedgerStore, hold: Hold) -> None:
        first = await store.first_of(hold.arrived.identity)
        for other in await store.held_under(hold.arrived.identity):
            if other.reason is not HoldReason.CONFLICT:
                # The first content waits itself: it must never be booked beside the one that replaces it.
                books.close_hold(books.holds.setdefault(other.number, other))
        second = _renamed(hold.arrived, "~2")
        await prepare(books, store, [second])
        if first is not None:
            booked, number = first
            back = _renamed(_opposite(booked), "~1")
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


def _renamed(arrived: Arrived, suffix: str) -> Arrived:
    name = arrived.id + suffix
    return arrived._replace(
        identity=identity(arrived.source, name),
        content=uuid_of(arrived.transaction.content_hash()),
        id=name,
    )


def _opposite(arrived: Arrived) -> Arrived:
    """The booking that undoes another: same date, line and amount, the other kind, and no sale named."""
    kind: Kind = "reversal" if arrived.transaction.kind == "sale" else "sale"
    return arrived._replace(transaction=arrived.transaction._replace(kind=kind, reverses=None), reverses=None)


def _without_sale(arrived: Arrived) -> Arrived:
    return arrived._replace(transaction=arrived.transaction._replace(reverses=None), reverses=None)
