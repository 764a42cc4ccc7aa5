"""Book a batch of counter transactions (TIE-1 to TIE-7, TIE-24): read, recognise, place one by one, keep and tell.

A counter system with a topic of its own speaks for its own sources and counters there. What it sends in another one's name
is a dead letter (`bad_field`) and claims no identity, so that nobody can take the next number of another (ADR 11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from services.tiering.domain.booking import Books, Rulebook
from services.tiering.domain.entries import Arrival
from services.tiering.domain.holding import HoldReason, date_reason
from services.tiering.handlers.arrivals import arrival_of
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.ports import LedgerStore
from services.tiering.handlers.preparing import prepare
from services.tiering.handlers.telling import rejections
from shared.clock import business_date
from shared.contracts.counter_systems import reserved_for
from shared.contracts.counter_v1 import ReadTransaction, read_transaction
from shared.contracts.fields import Invalid
from shared.messaging.metrics import DUPLICATES
from shared.messaging.records import Record
from shared.messaging.work import Work


class BookTransactions:
    """The handler of `counter.transactions.v1`. In a sandbox a record arrives when it is first read, because the
    broker's clock is not the sandbox's; elsewhere when the broker appended it."""

    def __init__(
        self, rules: Rulebook, open_store: Callable[[Work], LedgerStore], keeper: Keeper, sandbox: bool
    ) -> None:
        self._rules = rules
        self._open_store = open_store
        self._keeper = keeper
        self._sandbox = sandbox

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        read = []
        for record in records:
            reading = read_transaction(record)
            if isinstance(reading, Invalid):
                self._reject(work, record, reading)
            else:
                read.append((record, reading))
        if read:
            store = self._open_store(work)
            head, closed = await store.open()
            if self._keeper.systems:
                read = await self._in_their_own_names(work, store, read)
            arrived = [arrival_of(reading, self._arrived_at(record, work.now)) for record, reading in read]
            books = Books(self._rules, head, closed, work.now)
            fresh, duplicates = await self._recognise(books, store, arrived)
            work.after_commit(lambda: DUPLICATES.labels(work.consumer).inc(duplicates))
            await prepare(books, store, fresh)
            self._place(books, fresh)
            await self._keeper.keep(work, store, books)

    def discard(self) -> None:
        """Nothing to drop: the store remembers accounts only after their commit (see adapters.memory)."""

    def _arrived_at(self, record: Record, now: datetime) -> datetime:
        return now if self._sandbox else datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)

    def _reject(self, work: Work, record: Record, invalid: Invalid) -> None:
        work.dead_letter(record, invalid.reason, invalid.detail)
        for receipt in rejections(record, invalid, work.now, self._keeper.systems):
            work.publish(receipt)

    async def _in_their_own_names(
        self, work: Work, store: LedgerStore, read: Sequence[tuple[Record, ReadTransaction]]
    ) -> list[tuple[Record, ReadTransaction]]:
        """What its sender may send; the rest is rejected."""
        systems = {system.transactions_topic: system for system in self._keeper.systems}
        counters = {one.transaction.counter_id for record, one in read if record.topic in systems}
        paths = await store.unit_paths(counters) if counters else {}
        rightful = []
        for record, reading in read:
            system = systems.get(record.topic)
            if system is None:
                owner = reserved_for(self._keeper.systems, reading.source)
                field = None if owner is None else "source"
                why = "" if owner is None else f"comes by {owner.transactions_topic} alone"
            else:
                counter_id = reading.transaction.counter_id
                field = system.foreign(reading.source, counter_id, paths.get(counter_id, ""))
                why = f"is not one that the counter system {system.code} speaks for"
            if field is None:
                rightful.append((record, reading))
            else:
                self._reject(work, record, Invalid("bad_field", f"{field} {why}"))
        return rightful

    async def _recognise(
        self, books: Books, store: LedgerStore, arrived: Sequence[Arrival]
    ) -> tuple[list[Arrival], int]:
        """Those that never arrived before, and how many others only came again. A second arrival with the same
        content changes nothing, for ever; one with other content is a conflict, held once for each content (TIE-1)."""
        known = dict(await store.seen([one.identity for one in arrived]))
        fresh: list[Arrival] = []
        differing: list[Arrival] = []
        for one in arrived:
            content = known.get(one.identity)
            if content is None:
                known[one.identity] = one.content
                books.claim(one)
                fresh.append(one)
            elif content != one.content:
                differing.append(one)
        conflicts = 0
        if differing:
            held = await store.held_contents([one.identity for one in differing])
            for one in differing:
                if (one.identity, one.content) not in held:
                    held.add((one.identity, one.content))
                    books.hold(one, HoldReason.CONFLICT)
                    conflicts += 1
        return fresh, len(arrived) - len(fresh) - conflicts

    def _place(self, books: Books, fresh: Sequence[Arrival]) -> None:
        today = business_date(books.now)
        policy = self._rules.dates
        closed = books.closed
        for one in fresh:
            transaction = one.transaction
            # The date in Shanghai is that of UTC or the day after, so for most the zone need not be asked.
            occurred_on = transaction.occurred_at.date()
            if transaction.business_date > occurred_on:
                occurred_on = business_date(transaction.occurred_at)
            reason = date_reason(
                transaction.business_date,
                occurred_on,
                today,
                one.arrived_at,
                closed,
                policy,
            )
            if reason is None:
                books.place(one)
            else:
                books.hold(one, reason)
