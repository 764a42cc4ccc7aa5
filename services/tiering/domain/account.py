"""A customer's account as tiering keeps it: totals by year and line, agreements, and a standing under each scheme.

An account is a working copy inside one unit of work. Its totals are changed in place, because a batch books thousands of
transactions; everything it holds besides is a frozen value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

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


ONE_COUNTER: Final = 1_000
"""Narrower than any unit, however deep in the tree."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Which account a code means, and on which business dates; a binding without a start has always held (TIE-3).

    Counters make up codes of their own, so that one code may mean one customer at the counters of one unit and another
    one elsewhere: a binding holds for the counters of a unit, for one counter, or for all where it names neither. Of those
    that cover a counter the narrowest holds.
    """

    account: int
    valid_from: date | None = None
    valid_to: date | None = None
    unit_code: str | None = None
    counter_id: str | None = None

    def holds_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )

    def narrowness(self, counter_id: str, counter_path: str) -> int | None:
        """How narrowly this binding covers a counter, None where it does not. `counter_path` is the path of the counter's
        unit, empty where nobody knows it."""
        if self.counter_id is not None:
            return ONE_COUNTER if self.counter_id == counter_id else None
        if self.unit_code is None:
            return 0
        steps = counter_path.split("/")
        return steps.index(self.unit_code) if self.unit_code in steps else None


def meant(bindings: Iterable[Binding], day: date, counter_id: str, counter_path: str) -> Binding | None:
    """What a code means when a counter sends it for a business date; None where it means nobody."""
    found: Binding | None = None
    narrowest = -1
    for binding in bindings:
        if binding.holds_on(day):
            narrowness = binding.narrowness(counter_id, counter_path)
            if narrowness is not None and narrowness > narrowest:
                found, narrowest = binding, narrowness
    return found
