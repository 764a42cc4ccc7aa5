"""Revenue as it is told: the latest state of each customer's year on `tiering.revenue.v1` is the ledger's (TIE-2, TIE-14).

Proved by summing the ledger by month and line (`check_books` does, in its one walk) and reading the topic from its
beginning beside it. Of each year only a digest is kept, because there may be millions. What is booked and not told yet is
waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from verifier.events import UnreadableError, read_event
from verifier.report import Difference, Report
from verifier.sources import Sources
from verifier.topics import Record
from verifier.words import LINES, REVENUE, fen_of

CHECK: Final = "revenue"
TYPE: Final = "keypost.tiering.revenue-state.v1"
Cells = dict[tuple[int, str], tuple[int, int, int]]
"""(month, line) → fen, pieces, bookings."""


def digest_of(cells: Cells, merged_into: str | None) -> bytes:
    """A year's revenue in short."""
    return blake2b(repr((sorted(cells.items()), merged_into)).encode(), digest_size=16).digest()


@dataclass(slots=True)
class Expected:
    """`code|year` → what its latest state has to say."""

    digests: dict[str, bytes] = field(default_factory=dict)

    def add(self, code: str, sums: Mapping[tuple[int, int], list[int]]) -> None:
        """`sums` as of the check of totals: (yyyymm, line) → fen, pieces, bookings, late part."""
        years: dict[int, Cells] = {}
        for (month, line), (fen, pieces, bookings, _) in sums.items():
            name = LINES[line] if 0 <= line < len(LINES) else str(line)
            years.setdefault(month // 100, {})[month % 100, name] = (fen, pieces, bookings)
        for year, cells in years.items():
            self.digests[f"{code}|{year}"] = digest_of(cells, None)

    def add_alias(self, code: str, survivor: str, years: Iterable[int]) -> None:
        """Nothing is left to a merged customer of the years in which it had bookings."""
        for year in years:
            self.digests[f"{code}|{year}"] = digest_of({}, survivor)


def cells_of(data: Mapping[str, Any]) -> Cells:
    """The figures of a state. Raises KeyError, TypeError or ValueError."""
    return {
        (int(one["month"]), str(one["line"])): (
            fen_of(one["amount"]),
            int(one["pieces"]),
            int(one["transactions"]),
        )
        for one in data["months"]
    }


@dataclass(slots=True)
class States:
    """Follows the topic."""

    wanted: Mapping[str, bytes]
    settled: Callable[[Record], bool]
    """Whether a record was there before the snapshot: a later one may tell what is not in it yet."""
    latest: dict[str, bytes] = field(default_factory=dict)
    found: list[Difference] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)
    _missing: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._missing = set(self.wanted)

    def follow(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                event = read_event(record)
                data = event.data
                key = f"{data['customer_code']}|{data['year']}"
                version, cells = int(data["version"]), cells_of(data)
                digest = digest_of(cells, data["merged_into"])
            except (UnreadableError, KeyError, TypeError, ValueError) as problem:
                self._differs(record.place, "record", "a year's revenue", type(problem).__name__)
                continue
            for what, expected, said in (
                ("type", TYPE, event.type),
                ("source", "/tiering", event.source),
                ("key", key, (record.key or b"").decode("utf-8", "replace")),
                ("id", f"revenue|{key}|{version}", event.id),
            ):
                if expected != said:
                    self._differs(record.place, what, expected, said)
            if version <= self._versions.get(key, 0):
                above = f"above {self._versions[key]}"
                self._differs(f"{key} at {record.place}", "version", above, str(version))
            self._versions[key] = version
            if self.latest.get(key) != self.wanted.get(key) or self.settled(record):
                self.latest[key] = digest
                (self._missing.discard if digest == self.wanted.get(key) else self._missing.add)(key)
            if key not in self.wanted and not cells:
                self._missing.discard(key)
                self.latest.pop(key, None)

    def complete(self) -> bool:
        return not self._missing

    def differences(self) -> list[Difference]:
        for key in sorted(self._missing):
            if key not in self.wanted:
                self._differs(key, "figures", "none, nothing is booked", "told")
            else:
                self._differs(key, "figures", "the ledger's", "others" if key in self.latest else "not told")
        return self.found

    def _differs(self, where: str, what: str, expected: str, found: str) -> None:
        self.found.append(Difference(CHECK, where, what, expected, found))


async def check_revenue(sources: Sources, expected: Expected, report: Report) -> None:
    """The topic beside the ledger."""
    if not sources.ends.get(REVENUE):
        report.notice(f"{REVENUE} was not compared: it is not there")
        return
    states = States(expected.digests, sources.settled)
    await sources.read(REVENUE, states.follow, states.complete)
    report.count("years of revenue", len(expected.digests))
    report.add(states.differences())
