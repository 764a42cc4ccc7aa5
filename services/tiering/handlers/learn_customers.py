"""Learn what the registry says of customers (TIE-5, TIE-8, TIE-14, TIE-20): open accounts, merge them, follow agreements,
free what waited.

One state record is one step: its agreement is in force before the transactions held for its codes are booked. States of
one customer come in order on one partition; one that is not newer than what is known changes nothing, so that the topic
can be read again from its beginning. The two states of a merge lie on two partitions; see `merge_accounts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from services.tiering.domain.account import Account, Binding, Status
from services.tiering.domain.agreement import Agreement, cover_after
from services.tiering.domain.booking import Books, Rulebook
from services.tiering.domain.holding import FREED_BY_CODE, FREED_BY_MERGE
from services.tiering.domain.merging import joined_agreements
from services.tiering.domain.promotion import on_grant, on_signing
from services.tiering.domain.scheme import LINE_NUMBER
from services.tiering.domain.standing import NO_STANDING, caught_up
from services.tiering.handlers.keeping import Keeper
from services.tiering.handlers.merge_accounts import (
    belong,
    merge_accounts,
    open_account,
    own_code,
    rise_of,
)
from services.tiering.handlers.ports import CustomerStore, Described
from services.tiering.handlers.preparing import bring, prepare
from shared.clock import business_date
from shared.contracts.registry_v1 import CustomerState
from shared.contracts.topics import CUSTOMERS
from shared.messaging.records import Record
from shared.messaging.states import StateRecord, read_states
from shared.messaging.work import Work


@dataclass(slots=True)
class _Step:
    """What a wave of states adds up to. `known` is customer code → account."""

    known: dict[str, int]
    described: dict[int, Described] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    """Codes that may have become good."""
    merged: set[int] = field(default_factory=set)
    """Accounts that are one with others since this wave."""


class LearnCustomers:
    """The handler of `registry.customers.v1`."""

    def __init__(self, rules: Rulebook, open_store: Callable[[Work], CustomerStore], keeper: Keeper) -> None:
        self._rules = rules
        self._open_store = open_store
        self._keeper = keeper

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        told: list[StateRecord[CustomerState]] = read_states(work, records, {CUSTOMERS: CustomerState})
        if not told:
            return
        store = self._open_store(work)
        head, closed = await store.open()
        books = Books(self._rules, head, closed, work.now)
        for wave in _waves(told):
            await self._learn(books, store, wave)
            # Kept wave by wave: the rise of a total is looked up in the ledger, so what an earlier state freed must be
            # there before a later state of the same customer is judged.
            await self._keeper.keep(work, store, books)

    def discard(self) -> None:
        """Nothing to drop: the store remembers accounts only after their commit."""

    async def _learn(
        self, books: Books, store: CustomerStore, wave: Sequence[StateRecord[CustomerState]]
    ) -> None:
        known = dict(await store.accounts_by_code([code for told in wave for code in _named(told.state)]))
        await bring(books, store, [*known.values(), *await store.merged_into(known.values())])
        step = _Step(known)
        for told in wave:
            account = _account_of(books, step, told.state.customer_code)
            if told.state.version > account.state_version:
                await self._learn_one(books, store, account, told, step)
        for code in await store.keep_accounts(list(step.described.values())):
            books.bindings.pop(code, None)
        freed, reasons = step.freed, FREED_BY_CODE
        if step.merged:
            freed, reasons = freed.union(await store.codes_of(step.merged)), FREED_BY_MERGE
        if freed:
            found = await store.held_for_codes(freed, reasons)
            holds = [books.holds.setdefault(hold.number, hold) for hold in found]
            await prepare(books, store, [hold.arrived for hold in holds])
            for hold in holds:
                books.place(hold.arrived, hold)

    async def _learn_one(
        self,
        books: Books,
        store: CustomerStore,
        account: Account,
        told: StateRecord[CustomerState],
        step: _Step,
    ) -> None:
        state, known = told.state, account.agreements
        _describe(books, account, state)
        pairs = [(_account_of(books, step, code, account), account) for code in state.aliases]
        if state.status == "merged" and state.merged_into is not None:
            survivor = _account_of(books, step, state.merged_into, account)
            if account.merged_into is None:
                # The survivor's state will list them; until then they are what this customer had.
                heir = books.survivor(survivor.number)
                heir.agreements = joined_agreements(heir.agreements, account.agreements)
            pairs.append((account, survivor))
        for alias, survivor in pairs:
            if await merge_accounts(
                books, store, alias, survivor, state.as_of, _cause(told), told.event.traceparent
            ):
                step.merged |= books.parts(books.survivor(survivor.number).number)
        for alias, _ in pairs if account.merged_into is None else ():
            # From now on the codes of its counters are told as this customer's.
            step.described[alias.number] = Described(alias, own_code(alias))
        if account.merged_into is None:
            bindings = _bindings(account, state)
            step.described[account.number] = Described(account, bindings)
            await self._follow_agreements(books, store, account, told, known)
            if account.status is Status.ACTIVE:
                step.freed.update(code for code, _ in bindings)
        for number in books.parts(books.survivor(account.number).number):
            belong(books, books.accounts[number])
            step.described.setdefault(number, Described(books.accounts[number], None))

    async def _follow_agreements(
        self,
        books: Books,
        store: CustomerStore,
        account: Account,
        told: StateRecord[CustomerState],
        known: tuple[Agreement, ...],
    ) -> None:
        today = business_date(books.now)
        last_closed = books.closed.last
        for scheme in self._rules.schemes:
            version = scheme.on(today)
            if version is None:
                continue
            before = account.standings.get(scheme.code, NO_STANDING)
            cover = cover_after(before.cover, version, account.agreements, known)
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
                    after = books.move(account, version, after, move, _cause(told), told.event.traceparent)
            if cover.in_force and not before.cover.in_force:
                rose_on = await rise_of(books, store, version, after, account)
                signing = on_signing(version, after, account.city_group, account.totals, last_closed, rose_on)
                if signing is not None:
                    books.move(account, version, after, signing, _cause(told), told.event.traceparent)


def _cause(told: StateRecord[CustomerState]) -> tuple[str, str]:
    return told.event.source, told.event.id


def _named(state: CustomerState) -> list[str]:
    """Every customer that the state names: whose it is, its aliases, and the one that it was merged into."""
    merged_into = [] if state.merged_into is None else [state.merged_into]
    return [state.customer_code, *state.aliases, *merged_into]


def _waves(told: Sequence[StateRecord[CustomerState]]) -> Iterator[list[StateRecord[CustomerState]]]:
    """Parts in order, none of which names one customer in two states."""
    wave: list[StateRecord[CustomerState]] = []
    seen: set[str] = set()
    for one in told:
        named = _named(one.state)
        if not seen.isdisjoint(named):
            yield wave
            wave, seen = [], set()
        wave.append(one)
        seen.update(named)
    if wave:
        yield wave


def _account_of(books: Books, step: _Step, code: str, beside: Account | None = None) -> Account:
    """The account of a customer, opened if this is the first that is told of it. Of a merge either side may be told before
    its own state has come; then it belongs where the other one does."""
    number = step.known.get(code)
    if number is not None:
        return books.accounts[number]
    account = open_account(books, code, beside)
    step.known[code] = account.number
    step.described[account.number] = Described(account, own_code(account))
    return account


def _describe(books: Books, account: Account, state: CustomerState) -> None:
    account.state_version = state.version
    account.status = Status(state.status)
    account.unit_code = state.unit_code
    account.unit_path = state.unit_path
    account.manager = state.manager_a
    account.city_group = state.city_group
    account.upstream = state.upstream_granted_by_province
    if account.status is not Status.MERGED:
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
    for number in books.merged.get(account.number, ()):
        alias = books.accounts[number]
        if alias.code not in state.aliases:
            # The state is older than a merge that its alias told of already.
            account.agreements = joined_agreements(account.agreements, alias.agreements)


def _bindings(account: Account, state: CustomerState) -> list[tuple[str, Binding]]:
    """Every code that means this customer: its own, always, and the counters' codes for their dates."""
    own = (state.customer_code, Binding(account.number))
    return [
        own,
        *(
            (one.code, Binding(account.number, one.valid_from, one.valid_to, one.unit_code, one.counter_id))
            for one in state.counter_codes
        ),
    ]
