"""Totals: every month's total of a customer and line is the sum of the ledger (TIE-2, invariant I1), of all accounts that
were merged into it too (TIE-14).

Proved from the ledger alone: the amount, the pieces, the count and the part booked after the close are summed again
booking by booking; a total nobody booked and a booking nobody totalled are both differences.
"""

from __future__ import annotations

from typing import Final

from verifier.bookings import Booking, MonthTotal, Pages
from verifier.report import Difference
from verifier.words import LINES, yuan

CHECK: Final = "totals"


class Totals:
    """Sums one customer's bookings and compares them with its stored totals."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self.sums: dict[tuple[int, int], list[int]] = {}
        """(yyyymm, line) → fen, pieces, bookings, late part."""

    def book(self, booking: Booking) -> None:
        day = booking.business_date
        key = (day.year * 100 + day.month, booking.line)
        sums = self.sums.get(key)
        if sums is None:
            sums = self.sums[key] = [0, 0, 0, 0]
        sums[0] += booking.amount_fen
        sums[1] += booking.pieces or 0
        sums[2] += 1
        if booking.late:
            sums[3] += booking.amount_fen

    def years(self) -> set[int]:
        return {month // 100 for month, _ in self.sums}

    def differences(self) -> list[Difference]:
        found: list[Difference] = []
        for month, line in sorted(self.sums.keys() | self._pages.months.keys()):
            where = f"{self._pages.name} {month} {_line(line)}"
            sums = self.sums.get((month, line))
            total = self._pages.months.get((month, line))
            if sums is None:
                found.append(
                    Difference(CHECK, where, "month total", "none, nothing is booked", _shown(total))
                )
            elif total is None:
                found.append(Difference(CHECK, where, "month total", yuan(sums[0]), "none"))
            else:
                found += _compared(where, sums, total)
        return found


def _compared(where: str, sums: list[int], total: MonthTotal) -> list[Difference]:
    pairs = (
        ("amount", yuan(sums[0]), yuan(total.amount_fen)),
        ("pieces", str(sums[1]), str(total.pieces)),
        ("count", str(sums[2]), str(total.bookings)),
        ("late part", yuan(sums[3]), yuan(total.late_fen)),
    )
    return [
        Difference(CHECK, where, what, expected, found)
        for what, expected, found in pairs
        if expected != found
    ]


def _line(line: int) -> str:
    return LINES[line] if 0 <= line < len(LINES) else f"line {line}"


def _shown(total: MonthTotal | None) -> str:
    return "none" if total is None else yuan(total.amount_fen)


def alias_differences(pages: Pages) -> list[Difference]:
    """A merged account has handed its totals over (TIE-14)."""
    return [
        Difference(
            CHECK, f"{pages.name} {month} {_line(line)}", "month total", "none, it was merged", _shown(total)
        )
        for (month, line), total in sorted(pages.months.items())
    ]


def booked_years_differences(booked: set[int], stored: set[int]) -> list[Difference]:
    """The years that have bookings are exactly those recorded, because closing in order relies on them (TIE-9)."""
    return [
        Difference(CHECK, f"year {year}", "booked_years", _whether(year in booked), _whether(year in stored))
        for year in sorted(booked ^ stored)
    ]


def _whether(there: bool) -> str:
    return "recorded" if there else "not recorded"
