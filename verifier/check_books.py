"""One walk over the ledger, account by account, for the checks of totals and of tiers together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verifier.bookings import Ledger
from verifier.check_ledger import CloseMark
from verifier.check_tiers import Groups, Rules, Tiers
from verifier.check_totals import Totals, booked_years_differences
from verifier.report import Report
from verifier.schemes import SchemeVersion
from verifier.snapshot import Snapshot


async def check_books(
    db: Snapshot,
    schemes: Sequence[SchemeVersion],
    marks: Sequence[CloseMark],
    groups: Mapping[str, Groups],
    report: Report,
) -> None:
    """Totals and tiers of every account."""
    closing = bool(await db.value("SELECT EXISTS (SELECT FROM closes WHERE state <> 'done')"))
    if closing:
        report.notice("a close is still being settled: tiers that wait for it were not judged")
    rules = Rules(schemes, marks, closing, groups)
    ledger = Ledger(db)
    years: set[int] = set()
    async for pages in ledger.accounts():
        totals, tiers = Totals(pages), Tiers(pages, rules)
        async for bookings in ledger.bookings(pages.number):
            for booking in bookings:
                totals.book(booking)
                tiers.book(booking)
        report.add(totals.differences())
        report.add(tiers.differences())
        years |= totals.years()
        report.count("accounts")
        report.count("month totals", len(pages.months))
        report.count("tier changes", len(pages.changes))
    stored = {row[0] for row in await db.rows("SELECT year FROM booked_years")}
    report.add(booked_years_differences(years, stored))
