"""A customer's account as tiering keeps it: totals by year and line, agreements, and a standing under each scheme.

An account is a working copy inside one unit of work. Its totals are changed in place, because a batch books thousands of
transactions; everything it holds besides is a frozen value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from services.tiering.domain.agreement import Agreement
from services.tiering.domain.standing import Standing
from shared.kernel.lines import LINES


class Status(StrEnum):
    """A customer's status in the registry; only an active one is booked under its code."""

    ACTIVE = "active"
    RETIRED = "retired"
    MERGED = "merged"
    ANNULLED = "annulled"


@dataclass(slots=True)
class Account:
    """`totals`: year → fen by line, in the order of LINES. `standings`: scheme code → standing. `merged_into` is the account
    that a merged one went into, directly, and `merged_seq` the last booking before that."""

    number: int
    code: str
    state_version: int = 0
    status: Status = Status.ACTIVE
    unit_code: str = ""
    unit_path: str = ""
    manager: str | None = None
    city_group: int | None = None
    upstream: bool = False
    agreements: tuple[Agreement, ...] = ()
    totals: dict[int, list[int]] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    merged_into: int | None = None
    merged_at: datetime | None = None
    merged_seq: int | None = None

    def copy(self) -> Account:
        return Account(
            self.number,
            self.code,
            self.state_version,
            self.status,
            self.unit_code,
            self.unit_path,
            self.manager,
            self.city_group,
            self.upstream,
            self.agreements,
            {year: lines.copy() for year, lines in self.totals.items()},
            self.standings.copy(),
            self.merged_into,
            self.merged_at,
            self.merged_seq,
        )

    def year(self, year: int) -> list[int]:
        """The year's totals by line, made on first use."""
        lines = self.totals.get(year)
        if lines is None:
            lines = self.totals[year] = [0] * len(LINES)
        return lines


@dataclass(frozen=True, slots=True)
class Binding:
    """Which account a code means, and on which business dates; a binding without a start has always held (TIE-3)."""

    account: int
    valid_from: date | None = None
    valid_to: date | None = None

    def holds_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )
