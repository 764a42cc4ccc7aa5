"""Learn what the registry says of customers (TIE-5, TIE-8, TIE-20): open accounts, follow agreements, free what waited.

One state record is one step: its agreement is in force before the transactions held for its codes are booked. States of
one customer come in order on one partition; one that is not newer than what is known changes nothing, so that the topic
can be read again from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from services.tiering.domain.account import Account, Binding, Status
from services.tiering.domain.agreement import Agreement, cover_after
from services.tiering.domain.promotion import deciding_year, last_rise, on_grant, on_signing
from services.tiering.domain.scheme import LINE_NUMBER, SchemeVersion
from services.tiering.domain.standing import Standing, caught_up
from services.tiering.handlers.books import NO_STANDING, Books, Rulebook
from services.tiering.handlers.ports import LedgerStore, OpenStore
from services.tiering.handlers.preparing import prepare
from shared.clock import business_date
from shared.contracts import envelope
from shared.contracts.fields import Invalid
from shared.contracts.registry_v1 import CustomerState
from shared.messaging.records import Record
from shared.messaging.work import Work


class Told(NamedTuple):
    """A customer's state and the event that told it."""

    state: CustomerState
    cause: tuple[str, str]
    traceparent: str | None


class LearnCustomers:
    """The handler of `registry.customers.v1`."""

    def __init__(self, rules: Rulebook, open_store: OpenStore) -> None:
        self._rules = rules
        self._open_store = open_store

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        told = []
        for record in records:
            read = envelope.read(record)
            state = read if isinstance(read, Invalid) else CustomerState.of(read)
            if isinstance(state, Invalid):
                work.dead_letter(record, state.reason, state.detail)
            elif not isinstance(read, Invalid):
                told.append(Told(state, (read.source, read.id), read.traceparent))
        if not told:
            return
        store = self._open_store(work)
        head, closed = await store.open()
        books = Books(self._rules, head, closed, work.now)
        for wave in _waves(told):
            await self._learn(books, store, wave)
            # Kept wave by wave: the rise of a total is looked up in the ledger, so what an earlier state freed must be
            # there before a later state of the same customer is judged.
            await store.keep(books)

    def discard(self) -> None:
        """Nothing to drop: the store remembers accounts only after their commit."""

    async def _learn(self, books: Books, store: LedgerStore, wave: Sequence[Told]) -> None:
        known = await store.accounts_by_code([told.state.customer_code for told in wave])
        books.admit(await store.accounts(set(known.values()) - books.accounts.keys()))
        freed: list[str] = []
        described: list[tuple[Account, list[tuple[str, Binding]]]] = []
        for told in wave:
            state = told.state
            number = known.get(state.customer_code)
            account = books.accounts[number] if number is not None else _open_account(books, state)
            if state.version <= account.state_version:
                continue
            bindings = _bindings(account, state)
            _describe(account, state)
            described.append((account, bindings))
            await self._follow_agreements(books, store, account, told)
            for code, _ in bindings:
                books.bindings.pop(code, None)
                if account.status is Status.ACTIVE:
                    freed.append(code)
        await store.keep_accounts(described)
        if freed:
            holds = [books.holds.setdefault(hold.number, hold) for hold in await store.held_for_codes(freed)]
            await prepare(books, store, [hold.arrived for hold in holds])
            for hold in holds:
                books.place(hold.arrived, hold)

    async def _follow_agreements(
        self, books: Books, store: LedgerStore, account: Account, told: Told
    ) -> None:
        today = business_date(books.now)
        last_closed = books.closed.last
        for scheme in self._rules.schemes:
            version = scheme.on(today)
            if version is None:
                continue
            before = account.standings.get(scheme.code, NO_STANDING)
            cover = cover_after(before.cover, version, account.agreements)
            granted = account.upstream and version.granted_to_upstream is not None
            if cover == before.cover and granted == before.granted:
                continue
            after = caught_up(replace(before, cover=cover, granted=granted), last_closed)
            books.keep_standing(account, scheme.code, after)
            if before.tier and before.key_account(version) != after.key_account(version):
                # The flag turns at once on the state topic, without a tier change (TIE-8).
                books.pages.flags.add((account.number, scheme.code))
            if granted != before.granted:
                move = on_grant(version, after, account.city_group, account.totals, today, last_closed)
                if move is not None:
                    after = books.move(account, version, after, move, told.cause, told.traceparent)
            if cover.in_force and not before.cover.in_force:
                rose_on = await _rose_on(store, version, after, account, last_closed)
                signing = on_signing(version, after, account.city_group, account.totals, last_closed, rose_on)
                if signing is not None:
                    books.move(account, version, after, signing, told.cause, told.traceparent)


async def _rose_on(
    store: LedgerStore, version: SchemeVersion, standing: Standing, account: Account, last_closed: int | None
) -> date | None:
    """When the deciding year last rose to its level; looked up only where signing will promote."""
    best = deciding_year(version, account.city_group, account.totals, last_closed)
    if best is None or best[0] <= standing.tier:
        return None
    tier, year = best
    bookings = await store.bookings(account.number, year, version.lines)
    return last_rise(bookings, version.thresholds(account.city_group)[tier - 1])


def _waves(told: Sequence[Told]) -> Iterator[list[Told]]:
    """Parts in order, none of which has two states of one customer."""
    wave: list[Told] = []
    seen: set[str] = set()
    for one in told:
        if one.state.customer_code in seen:
            yield wave
            wave, seen = [], set()
        wave.append(one)
        seen.add(one.state.customer_code)
    if wave:
        yield wave


def _open_account(books: Books, state: CustomerState) -> Account:
    books.account_number += 1
    account = Account(books.account_number, state.customer_code)
    books.accounts[account.number] = account
    return account


def _describe(account: Account, state: CustomerState) -> None:
    account.state_version = state.version
    account.status = Status(state.status)
    account.unit_code = state.unit_code
    account.unit_path = state.unit_path
    account.manager = state.manager_a
    account.city_group = state.city_group
    account.upstream = state.upstream_granted_by_province
    account.agreements = tuple(
        Agreement(
            number=one.agreement_no,
            signed_on=one.signed_on,
            ends_on=one.ends_on,
            lines=tuple(LINE_NUMBER[line] for line in one.lines),
            in_force=one.state == "in_force",
            ended_on=one.ended_on,
        )
        for one in state.agreements
    )


def _bindings(account: Account, state: CustomerState) -> list[tuple[str, Binding]]:
    """Every code that means this customer: its own, always, and the counters' codes for their dates."""
    own = (state.customer_code, Binding(account.number))
    return [
        own,
        *((one.code, Binding(account.number, one.valid_from, one.valid_to)) for one in state.counter_codes),
    ]
