"""Close a year (TIE-9): request it, begin it at one recorded instant, and settle the holders chunk by chunk.

Transactions keep flowing meanwhile. From the instant on the year counts as closed for every booking, and whoever touches
a customer first, a booking or the sweep, settles that customer's close before anything else (see Books.admit).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from services.tiering.domain.booking import Books, Rulebook
from services.tiering.domain.closing import ClosedYears, CloseRefusal, at_close, refusal
from services.tiering.domain.standing import NO_STANDING, Move
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.ports import Close, CloseStore
from shared.clock import business_date
from shared.failpoints import failpoint
from shared.messaging.work import Work

QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One move that a close would bring."""

    customer_code: str
    scheme: str
    from_tier: str
    to_tier: str
    move: Move


class CloseYear:
    """Commands on closes; each runs in a unit of work of its own."""

    def __init__(self, rules: Rulebook, open_store: Callable[[Work], CloseStore], keeper: Keeper) -> None:
        self._rules = rules
        self._open_store = open_store
        self._keeper = keeper

    async def request(self, work: Work, year: int, by: str) -> Close | CloseRefusal:
        """Record that a year is to be closed; asking again changes nothing."""
        store = self._open_store(work)
        await store.open()
        closes = {close.year: close for close in await store.closes()}
        if year in closes:
            return closes[year]
        refused = await self._refusal(store, year, business_date(work.now), list(closes.values()))
        if refused is not None:
            return refused
        close = Close(year, QUEUED, by, work.now, None, None, 0, 0, 0)
        await store.record_close(close)
        return close

    async def request_all_through(self, work: Work, year: int, by: str) -> None:
        """The timer's way: years of history with bookings first, in order, then the year itself."""
        store = self._open_store(work)
        await store.open()
        closes = await store.closes()
        after = max((close.year for close in closes), default=None)
        if after is not None and year <= after:
            return
        while (earlier := await store.earliest_open_year(after, year)) is not None:
            await store.record_close(Close(earlier, QUEUED, by, work.now, None, None, 0, 0, 0))
            after = earlier
        await store.record_close(Close(year, QUEUED, by, work.now, None, None, 0, 0, 0))

    async def advance(self, work: Work, without: Collection[int] = ()) -> bool:
        """Do the next piece of the earliest close that is not done; False when there is nothing to do. Accounts `without`
        are given up at present: the close ends without them, and they are settled when they can be."""
        store = self._open_store(work)
        head, closed = await store.open()
        close = _earliest(await store.closes())
        if close is None:
            return False
        if close.state == QUEUED:
            behind = await store.holders_behind(close.year, 1_000_000_000)
            await store.record_close(replace(close, state=RUNNING, closed_at=work.now, holders=len(behind)))
            return True
        numbers = await store.holders_behind(close.year, CHUNK, without)
        if not numbers:
            await store.record_close(replace(close, state=DONE, finished_at=work.now))
            return True
        await self._settle(work, store, Books(self._rules, head, closed, work.now), close, numbers)
        return True

    async def next_holders(self, work: Work, without: Collection[int] = ()) -> list[int]:
        """The accounts of the next piece; none where the next step is of another kind."""
        store = self._open_store(work)
        close = _earliest(await store.closes())
        if close is None or close.state == QUEUED:
            return []
        return await store.holders_behind(close.year, CHUNK, without)

    async def settle(self, work: Work, numbers: Sequence[int]) -> None:
        """Settle exactly these accounts, for the close that is being carried out if there is one."""
        store = self._open_store(work)
        head, closed = await store.open()
        close = _earliest(await store.closes())
        await self._settle(work, store, Books(self._rules, head, closed, work.now), close, numbers)

    async def _settle(
        self, work: Work, store: CloseStore, books: Books, close: Close | None, numbers: Sequence[int]
    ) -> None:
        books.admit(await store.accounts(numbers))
        moves = len(books.pages.changes)
        await self._keeper.keep(work, store, books)
        if close is not None:
            await store.record_close(
                replace(close, settled=close.settled + len(numbers), moves=close.moves + moves)
            )
        await failpoint("close_chunk")

    async def rehearse(self, work: Work, year: int) -> list[Rehearsed] | CloseRefusal:
        """What closing a year now would move; nothing is changed (the caller rolls back)."""
        store = self._open_store(work)
        _, closed = await store.open()
        refused = await self._refusal(store, year, business_date(work.now), await store.closes())
        if refused is not None:
            return refused
        if closed.last is not None and year <= closed.last:
            return []
        numbers = await store.holders_behind(year, 1_000_000_000)
        found: list[Rehearsed] = []
        for start in range(0, len(numbers), CHUNK):
            found += await self._rehearse_some(store, numbers[start : start + CHUNK], year)
        return found

    async def _rehearse_some(self, store: CloseStore, numbers: Sequence[int], year: int) -> list[Rehearsed]:
        found = []
        for account in (await store.accounts(numbers)).values():
            for scheme in self._rules.schemes:
                version = scheme.on(date(year, 12, 31))
                if version is None:
                    continue
                standing = account.standings.get(scheme.code, NO_STANDING)
                _, move = at_close(version, standing, account.city_group, account.totals, year)
                if move is not None:
                    codes = version.tier_code(move.from_tier), version.tier_code(move.to_tier)
                    found.append(Rehearsed(account.code, scheme.code, *codes, move))
        return found

    @staticmethod
    async def _refusal(
        store: CloseStore, year: int, today: date, closes: Sequence[Close]
    ) -> CloseRefusal | None:
        """A close that waits for its turn counts as done here: it will be, before the one that is asked for."""
        asked = ClosedYears({close.year: close.requested_at for close in closes})
        return refusal(year, today, asked, await store.earliest_open_year(asked.last, year))


def _earliest(closes: Sequence[Close]) -> Close | None:
    return next((close for close in closes if close.state != DONE), None)
