"""One walk over the ledger, customer by customer, for the checks of totals, tiers and revenue together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from verifier.bookings import Booking, Ledger, Merges, Pages
from verifier.check_ledger import CloseMark
from verifier.check_revenue import Expected
from verifier.check_tiers import Groups, Rules, Tiers
from verifier.check_totals import Totals, alias_differences, booked_years_differences
from verifier.report import Difference, Report
from verifier.schemes import SchemeVersion
from verifier.snapshot import Snapshot


class Joining(NamedTuple):
    """A merge as the accounts note it: behind which booking, which account, into which."""

    seq: int
    alias: int
    into: int


class Customer:
    """Replays a customer's accounts side by side; at each merge the one goes over into the other (TIE-14)."""

    def __init__(self, number: int, pages: Mapping[int, Pages], rules: Rules, merges: Merges) -> None:
        self._tiers = {one: Tiers(its, rules) for one, its in pages.items()}
        self._names = {one: its.name for one, its in pages.items()}
        self._found: list[Difference] = []
        joinings = [
            Joining(account.merged_seq or 0, one, account.merged_into)
            for one, its in pages.items()
            if (account := its.account) is not None and account.merged_into is not None and one != number
        ]
        # Of merges behind the same booking the one further down came first: only what is not part of another takes one in.
        self._joinings = sorted(joinings, key=lambda one: (one.seq, -merges.depth(one.alias)))
        self._gone: set[int] = set()

    def book(self, booking: Booking) -> None:
        if self._joinings:
            self._join_before(booking.seq)
        if booking.own in self._gone:
            name = self._names[booking.own]
            self._found.append(
                Difference("totals", name, "booked for", "the survivor", f"it, by seq {booking.seq}")
            )
        self._tiers[booking.own].book(booking)

    def _join_before(self, seq: int | None) -> None:
        due = [one for one in self._joinings if seq is None or one.seq < seq]
        if not due:
            return
        self._joinings = self._joinings[len(due) :]
        for (_, into), together in groupby(due, key=lambda one: (one.seq, one.into)):
            listed = list(together)
            self._gone.update(one.alias for one in listed)
            self._tiers[into].take_in([(one.seq, self._tiers[one.alias]) for one in listed])

    def differences(self) -> list[Difference]:
        self._join_before(None)
        return self._found + [one for tiers in self._tiers.values() for one in tiers.differences()]


async def check_books(
    db: Snapshot,
    schemes: Sequence[SchemeVersion],
    marks: Sequence[CloseMark],
    groups: Mapping[str, Groups],
    merges: Merges,
    report: Report,
) -> Expected:
    """Totals and tiers of every customer; returns what has to be told as revenue."""
    closing = bool(await db.value("SELECT EXISTS (SELECT FROM closes WHERE state <> 'done')"))
    if closing:
        report.notice("a close is still being settled: tiers that wait for it were not judged")
    report.add(
        Difference("totals", f"account {number}", "merged into", "another", "itself, in a circle")
        for number in merges.circles
    )
    rules = Rules(schemes, marks, closing, groups)
    ledger = Ledger(db, merges)
    years: set[int] = set()
    expected = Expected()
    async for number, pages in ledger.customers():
        totals, customer = Totals(pages[number]), Customer(number, pages, rules, merges)
        own_years: dict[int, set[int]] = {}
        async for bookings in ledger.bookings(number):
            for booking in bookings:
                totals.book(booking)
                customer.book(booking)
                if len(pages) > 1:
                    own_years.setdefault(booking.own, set()).add(booking.business_date.year)
        report.add(totals.differences())
        report.add(customer.differences())
        expected.add(pages[number].name, totals.sums)
        for other, its in pages.items():
            report.count("accounts")
            report.count("month totals", len(its.months))
            report.count("tier changes", len(its.changes))
            if other != number:
                report.add(alias_differences(its))
                into = its.account.merged_into if its.account else None
                survivor = pages[into].name if into in pages else ""
                expected.add_alias(its.name, survivor, own_years.get(other, set()))
        years |= totals.years()
    stored = {row[0] for row in await db.rows("SELECT year FROM booked_years")}
    report.add(booked_years_differences(years, stored))
    return expected
