"""Book a batch of counter transactions (TIE-1 to TIE-7, TIE-24): read, recognise, place one by one, keep and tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from services.tiering.domain.booking import Books, Rulebook
from services.tiering.domain.entries import Arrival
from services.tiering.domain.holding import HoldReason, date_reason
from services.tiering.handlers.arrivals import arrival_of
from services.tiering.handlers.keeping import keep
from services.tiering.handlers.ports import LedgerStore, StartWait
from services.tiering.handlers.preparing import prepare
from services.tiering.handlers.telling import rejection
from shared.clock import business_date
from shared.contracts.counter_v1 import read_transaction
from shared.contracts.fields import Invalid
from shared.messaging.metrics import DUPLICATES
from shared.messaging.records import Record
from shared.messaging.work import Work


class BookTransactions:
    """The handler of `counter.transactions.v1`. In a sandbox a record arrives when it is first read, because the
    broker's clock is not the sandbox's; elsewhere when the broker appended it."""

    def __init__(
        self, rules: Rulebook, open_store: Callable[[Work], LedgerStore], start_wait: StartWait, sandbox: bool
    ) -> None:
        self._rules = rules
        self._open_store = open_store
        self._start_wait = start_wait
        self._sandbox = sandbox

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        arrived = []
        for record in records:
            reading = read_transaction(record)
            if not isinstance(reading, Invalid):
                arrived.append(arrival_of(reading, self._arrived_at(record, work.now)))
            else:
                work.dead_letter(record, reading.reason, reading.detail)
                receipt = rejection(record, reading, work.now)
                if receipt is not None:
                    work.publish(receipt)
        if arrived:
            store = self._open_store(work)
            head, closed = await store.open()
            books = Books(self._rules, head, closed, work.now)
            fresh, duplicates = await self._recognise(books, store, arrived)
            work.after_commit(lambda: DUPLICATES.labels(work.consumer).inc(duplicates))
            await prepare(books, store, fresh)
            self._place(books, fresh)
            await keep(work, store, books, self._start_wait)

    def discard(self) -> None:
        """Nothing to drop: the store remembers accounts only after their commit (see adapters.memory)."""

    def _arrived_at(self, record: Record, now: datetime) -> datetime:
        return now if self._sandbox else datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)

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
