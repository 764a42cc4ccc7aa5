"""The books of one unit of work: transactions booked one by one, in memory, by the rules (TIE-24).

Whatever the batch size, each transaction is judged against the state that its predecessor left. What is booked is
collected here, stored in a few statements at the end and told. Nothing here waits, so the order of the bookings is the order
of the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from services.tiering.domain.account import Account, Binding, Status, meant
from services.tiering.domain.closing import ClosedYears, at_close
from services.tiering.domain.entries import (
    Arrival,
    BookedSale,
    HeldTransaction,
    HoldState,
    LedgerHead,
    Posting,
    SuspenseStep,
    TierChange,
)
from services.tiering.domain.holding import DatePolicy, HoldReason, Sale, reversal_reason
from services.tiering.domain.promotion import on_booking
from services.tiering.domain.scheme import LINE_NUMBER, Scheme, SchemeVersion
from services.tiering.domain.standing import NO_STANDING, Move, Standing, caught_up, moved

Delta = list[int]
"""What a unit of work adds to a month's total: [fen, pieces, count, late fen]."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules a unit of work decides by: schemes, date policy, and how an unknown code is named."""

    schemes: tuple[Scheme, ...]
    dates: DatePolicy
    judge_unknown_code: Callable[[str], HoldReason]


@dataclass(slots=True)
class Pages:
    """What a unit of work has decided since its pages were last taken, for the store to keep and for others to be told."""

    postings: list[Posting] = field(default_factory=list)
    deltas: dict[tuple[int, int, int], Delta] = field(default_factory=dict)
    claimed: dict[UUID, UUID] = field(default_factory=dict)
    booked: dict[UUID, int] = field(default_factory=dict)
    reversed_fen: dict[UUID, int] = field(default_factory=dict)
    new_holds: list[HeldTransaction] = field(default_factory=list)
    changed_holds: dict[int, HeldTransaction] = field(default_factory=dict)
    changes: list[TierChange] = field(default_factory=list)
    suspense_steps: list[SuspenseStep] = field(default_factory=list)
    standings: set[tuple[int, str]] = field(default_factory=set)
    """(account, scheme) whose standing is another one now."""
    flags: set[tuple[int, str]] = field(default_factory=set)
    """(account, scheme) whose tier or key-account flag is another one now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Pages to be stored, and where the ledger stands behind them."""

    pages: Pages
    head: LedgerHead
    accounts: Mapping[int, Account]
    now: datetime


class Books:
    """Working copies of the accounts that a unit of work touches, and the pages it fills."""

    def __init__(self, rules: Rulebook, head: LedgerHead, closed: ClosedYears, now: datetime) -> None:
        self.rules = rules
        self.head = head
        self.seq = head.seq
        self.hold_number = head.hold_number
        self.account_number = head.account_number
        self.closed = closed
        self.now = now
        self.pages = Pages()
        self.accounts: dict[int, Account] = {}
        self.bindings: dict[str, tuple[Binding, ...]] = {}
        self.counters: dict[str, str] = {}
        """Paths of the counters' units, for counters whose codes are not the same everywhere; empty where unknown."""
        self.sales: dict[UUID, BookedSale] = {}
        self.named: set[UUID] = set()
        """Sales that a reversal in hand or in suspense names: only these are remembered when they are booked."""
        self.waiting: dict[UUID, list[HeldTransaction]] = {}
        self.holds: dict[int, HeldTransaction] = {}
        """Every row of suspense in hand, by its number: one row is one object, however often it is read."""
        self.merged: dict[int, set[int]] = {}
        """Accounts in hand that were merged directly into another, by that other's number."""
        self._last_closed = closed.last

    def take(self) -> Outcome:
        """What was decided since the last time; the pages are empty afterwards."""
        pages, self.pages = self.pages, Pages()
        head = LedgerHead(self.head.epoch, self.seq, self.hold_number, self.account_number)
        return Outcome(pages, head, self.accounts, self.now)

    # -- accounts and standings -------------------------------------------------------------------------------------

    def admit(self, accounts: Mapping[int, Account]) -> None:
        """Take working copies of accounts into the books, settling a close that has not reached them yet: a close
        happens at one instant, so nothing may touch a customer before its own close is decided (TIE-9)."""
        for number, account in accounts.items():
            if number not in self.accounts:
                copy = self.accounts[number] = account.copy()
                if copy.merged_into is not None:
                    self.merged.setdefault(copy.merged_into, set()).add(number)
                if self._last_closed is not None:
                    self._settle(copy, self._last_closed)

    def _settle(self, account: Account, last_closed: int) -> None:
        for scheme in self.rules.schemes:
            standing = account.standings.get(scheme.code, NO_STANDING)
            if not standing.tier or standing.closed_through >= last_closed:
                continue
            for year in sorted(self.closed.instants):
                version = scheme.on(date(year, 12, 31))
                if year <= standing.closed_through or version is None:
                    continue
                standing, move = at_close(version, standing, account.city_group, account.totals, year)
                self.keep_standing(account, scheme.code, standing)
                if move is not None:
                    self.note_change(account, version, standing, move, at=self.closed.instants[year])

    def keep_standing(self, account: Account, scheme: str, standing: Standing) -> None:
        account.standings[scheme] = standing
        self.pages.standings.add((account.number, scheme))

    def move(
        self,
        account: Account,
        version: SchemeVersion,
        standing: Standing,
        move: Move,
        cause: tuple[str, str] | None = None,
        traceparent: str | None = None,
    ) -> Standing:
        """Carry out a tier change: the standing moves on by one version, and the change is noted."""
        after = moved(standing, move)
        self.keep_standing(account, version.scheme, after)
        self.note_change(account, version, after, move, cause, traceparent)
        return after

    def note_change(
        self,
        account: Account,
        version: SchemeVersion,
        standing: Standing,
        move: Move,
        cause: tuple[str, str] | None = None,
        traceparent: str | None = None,
        at: datetime | None = None,
    ) -> None:
        self.pages.flags.add((account.number, version.scheme))
        self.pages.changes.append(
            TierChange(
                account=account.number,
                code=account.code,
                unit_path=account.unit_path,
                scheme=version,
                move=move,
                standing=standing,
                key_account=standing.key_account(version),
                decided_at=at or self.now,
                cause=cause,
                traceparent=traceparent,
            )
        )

    def account_for(self, code: str, day: date, counter_id: str) -> Account | None:
        """The account that a code of a counter means on a business date; None where the registry knows no such code."""
        binding = meant(self.bindings.get(code, ()), day, counter_id, self.counters.get(counter_id, ""))
        if binding is None:
            return None
        account = self.accounts[binding.account]
        return account if account.merged_into is None else self.survivor(account.number)

    def survivor(self, number: int) -> Account:
        """The account that this one is part of by now: itself unless it was merged (TIE-14)."""
        account = self.accounts[number]
        while account.merged_into is not None:
            account = self.accounts[account.merged_into]
        return account

    def parts(self, number: int) -> set[int]:
        """The numbers of an account and of all in hand that were merged into it."""
        found = {number}
        for other in self.merged.get(number, ()):
            found |= self.parts(other)
        return found

    # -- transactions -----------------------------------------------------------------------------------------------

    def claim(self, arrived: Arrival) -> None:
        """An identity belongs to the first well-formed transaction that carries it, booked or held."""
        self.pages.claimed[arrived.identity] = arrived.content

    def place(self, arrived: Arrival, hold: HeldTransaction | None = None) -> None:
        """Book a transaction whose date is accepted, or hold it. `hold` is its row in suspense if it waited there."""
        transaction = arrived.transaction
        account = self.account_for(
            transaction.customer_code, transaction.business_date, transaction.counter_id
        )
        if account is None:
            self.hold(arrived, self.rules.judge_unknown_code(transaction.customer_code), hold)
        elif account.status is not Status.ACTIVE:
            self.hold(arrived, HoldReason.RETIRED_CODE, hold)
        elif arrived.reverses is None:
            self.book(arrived, account, hold)
        else:
            self._place_named_reversal(arrived, arrived.reverses, account, hold)

    def _place_named_reversal(
        self, arrived: Arrival, named: UUID, account: Account, hold: HeldTransaction | None
    ) -> None:
        transaction = arrived.transaction
        booked = self.sales.get(named)
        if booked is None:
            self.hold(arrived, HoldReason.SALE_UNKNOWN, hold, named)
            return
        # A booking that is no sale has nothing to reverse, so that its account matches no reversal.
        left = booked.amount_fen - booked.reversed_fen
        owner = self.survivor(booked.account).number if booked.is_sale else -1
        sale = Sale(owner, booked.line, left)
        reason = reversal_reason(sale, account.number, LINE_NUMBER[transaction.line], transaction.amount_fen)
        if reason is not None:
            self.hold(arrived, reason, hold)
            return
        booked.reversed_fen += transaction.amount_fen
        self.pages.reversed_fen[named] = booked.reversed_fen
        self.book(arrived, account, hold, named)

    def book(
        self,
        arrived: Arrival,
        account: Account,
        hold: HeldTransaction | None = None,
        reverses: UUID | None = None,
    ) -> None:
        """Book one transaction, decide what it moves, and then book the reversals that waited for it (TIE-4)."""
        transaction = arrived.transaction
        business_date = transaction.business_date
        year = business_date.year
        line = LINE_NUMBER[transaction.line]
        is_sale = transaction.kind == "sale"
        signed = transaction.amount_fen if is_sale else -transaction.amount_fen
        late = self._last_closed is not None and year <= self._last_closed
        self.seq = seq = self.seq + 1
        lines = account.year(year)
        lines[line] += signed
        self.pages.postings.append(
            Posting(
                seq, arrived, account.number, line, signed, account.unit_code, account.manager, late, reverses
            )
        )
        delta = self.pages.deltas.setdefault(
            (account.number, year * 100 + business_date.month, line), [0, 0, 0, 0]
        )
        delta[0] += signed
        delta[1] += (transaction.pieces or 0) if is_sale else -(transaction.pieces or 0)
        delta[2] += 1
        delta[3] += signed if late else 0
        self.pages.booked[arrived.identity] = seq
        if hold is not None:
            self.end_hold(hold, HoldState.BOOKED, "released")
        if is_sale:
            self._promote(account, arrived, line, business_date, lines)
        if arrived.identity in self.named:
            self.sales[arrived.identity] = BookedSale(
                seq, account.number, line, transaction.amount_fen, 0, is_sale, business_date
            )
            for waiting in self.waiting.pop(arrived.identity, ()):
                if waiting.state is HoldState.HELD and waiting.reason is HoldReason.SALE_UNKNOWN:
                    self.place(waiting.arrived, waiting)

    def _promote(
        self, account: Account, arrived: Arrival, line: int, business_date: date, lines: Sequence[int]
    ) -> None:
        for scheme in self.rules.schemes:
            version = scheme.on(business_date)
            if version is None or line not in version.lines:
                continue
            standing = account.standings.get(scheme.code, NO_STANDING)
            thresholds = version.thresholds(account.city_group)
            total = version.total_of(lines)
            if standing.tier == len(thresholds) or total < thresholds[standing.tier]:
                continue  # The common case: the next level is not reached.
            move = on_booking(version, standing, account.city_group, business_date, total, self._last_closed)
            if move is not None:
                before = caught_up(standing, self._last_closed)
                self.move(account, version, before, move, (arrived.source, arrived.id), arrived.traceparent)

    # -- suspense ---------------------------------------------------------------------------------------------------

    def hold(
        self,
        arrived: Arrival,
        reason: HoldReason,
        hold: HeldTransaction | None = None,
        waits_for: UUID | None = None,
    ) -> None:
        """Hold a transaction with its reason, or keep one in suspense that now waits for something else."""
        if hold is None:
            self.hold_number += 1
            hold = self.holds[self.hold_number] = HeldTransaction(
                self.hold_number, arrived, reason, waits_for
            )
            self.pages.new_holds.append(hold)
            self.pages.suspense_steps.append(SuspenseStep("held", arrived, reason))
        elif hold.reason is not reason or hold.waits_for != waits_for:
            hold.reason, hold.waits_for = reason, waits_for
            self._note(hold)
            self.pages.suspense_steps.append(SuspenseStep("held", arrived, reason))
        if waits_for is not None:
            self.named.add(waits_for)
            self.waiting.setdefault(waits_for, []).append(hold)

    def close_hold(self, hold: HeldTransaction) -> None:
        """A steward's decision never to book what is held."""
        self.end_hold(hold, HoldState.CLOSED, "closed")

    def end_hold(self, hold: HeldTransaction, state: HoldState, step: Literal["released", "closed"]) -> None:
        hold.state = state
        self._note(hold)
        self.pages.suspense_steps.append(SuspenseStep(step, hold.arrived, hold.reason))

    def _note(self, hold: HeldTransaction) -> None:
        self.pages.changed_holds[hold.number] = hold

    def codes_of(self, transactions: Iterable[Arrival]) -> set[str]:
        """Codes that are not resolved yet in these books."""
        return {arrived.transaction.customer_code for arrived in transactions} - self.bindings.keys()
