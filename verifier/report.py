"""What a verification found: differences with their numbers, what was compared, and what a person should know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

LISTED_MAX: Final = 1000
"""Differences kept of one check. A lost table would else be listed row by row; beyond this they are only counted."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One thing that is not as it was recomputed. `where` names the row or record, `what` the thing compared."""

    check: str
    where: str
    what: str
    expected: str
    found: str

    @property
    def place(self) -> tuple[str, str, str]:
        """What stays the same when the same difference is met a second time."""
        return self.check, self.where, self.what

    def line(self) -> str:
        return f"{self.check}: {self.where}: {self.what}: expected {self.expected}, found {self.found}"

    def as_json(self) -> dict[str, str]:
        return {
            "check": self.check,
            "where": self.where,
            "what": self.what,
            "expected": self.expected,
            "found": self.found,
        }


@dataclass(slots=True)
class Report:
    """The result of one pass over everything."""

    differences: list[Difference] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    notices: list[str] = field(default_factory=list)
    unlisted: Counter[str] = field(default_factory=Counter)
    _listed: Counter[str] = field(default_factory=Counter)

    def add(self, differences: Iterable[Difference]) -> None:
        for one in differences:
            if self._listed[one.check] < LISTED_MAX:
                self._listed[one.check] += 1
                self.differences.append(one)
            else:
                self.unlisted[one.check] += 1

    def count(self, what: str, number: int = 1) -> None:
        self.compared[what] += number

    def notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)

    @property
    def clean(self) -> bool:
        return not self.differences

    def confirmed_by(self, earlier: Report) -> Report:
        """This report with only those differences that an earlier pass met too: what was seen once may have been a
        service at work between two of our snapshots."""
        known = {one.place for one in earlier.differences}
        # A check whose list was cut may have met the same difference beyond the cut.
        cut = set(earlier.unlisted) | set(self.unlisted)
        again = [one for one in self.differences if one.place in known or one.check in cut]
        return Report(again, self.compared, self.notices, self.unlisted)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.clean,
            "compared": dict(self.compared),
            "differences": [one.as_json() for one in sorted(self.differences)],
            "unlisted": dict(self.unlisted),
            "notices": self.notices,
        }

    def text(self) -> str:
        lines = [one.line() for one in sorted(self.differences)]
        lines += [f"{check}: {number} more" for check, number in sorted(self.unlisted.items())]
        lines += [f"notice: {text}" for text in self.notices]
        done = ", ".join(f"{number} {what}" for what, number in self.compared.items())
        lines.append(f"compared: {done or 'nothing'}")
        total = len(self.differences) + sum(self.unlisted.values())
        lines.append(f"{total} differences" if total else "no differences")
        return "\n".join(lines)
