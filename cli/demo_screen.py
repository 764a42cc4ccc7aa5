"""What `keypost demo` shows while it plays: a table that moves on a terminal, elsewhere a line for every change."""

from __future__ import annotations

import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import date
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.printable import visible

_MOVES_SHOWN: Final = 14
_TIERS: Final = ("none", "ordinary", "vip", "silver", "gold", "platinum", "diamond")
_COLOURS: Final = {"promotion": "green", "demotion": "red", "correction": "yellow"}


@dataclass(slots=True)
class Picture:
    """Everything that is shown, as figures and not as text."""

    label: str
    day: date
    sent: int = 0
    rejected: int = 0
    repeated: int = 0
    booked: int = 0
    held: int = 0
    dead_letters: int = 0
    changes: int = 0
    closed_years: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    moves: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_MOVES_SHOWN))
    tiers: dict[tuple[str, str], str] = field(default_factory=dict)
    """The tier of each scheme and customer."""
    directions: Counter[str] = field(default_factory=Counter)

    def know(self, change: dict[str, Any]) -> None:
        """Takes over a change that was there before, without showing it."""
        self.tiers[change["scheme"], change["customer_code"]] = change["to_tier"]

    def add(self, change: dict[str, Any]) -> None:
        self.know(change)
        self.changes += 1
        self.directions[change["direction"]] += 1
        self.moves.append(change)

    def by_tier(self) -> dict[str, dict[str, int]]:
        """How many customers hold each tier, per scheme, low to high."""
        counted: dict[str, Counter[str]] = {}
        for (scheme, _customer), tier in self.tiers.items():
            counted.setdefault(scheme, Counter())[tier] += 1
        return {scheme: dict(sorted(tiers.items(), key=_rank)) for scheme, tiers in sorted(counted.items())}

    def summary(self) -> dict[str, Any]:
        return {
            "played": self.label,
            "reached": self.day.isoformat(),
            "sent": self.sent,
            "rejected": self.rejected,
            "repeated": self.repeated,
            "booked": self.booked,
            "held": self.held,
            "dead_letters": self.dead_letters,
            "tier_changes": self.changes,
            "directions": dict(self.directions),
            "closed_years": self.closed_years,
            "customers_by_tier": self.by_tier(),
            "notes": self.notes,
        }


def _rank(pair: tuple[str, int]) -> tuple[int, str]:
    return (_TIERS.index(pair[0]) if pair[0] in _TIERS else len(_TIERS), pair[0])


class Screen:
    """Shows a picture again whenever it is told to."""

    def __init__(self, picture: Picture, *, quiet: bool = False) -> None:
        self._picture = picture
        self._quiet = quiet
        self._live: Live | None = None
        if sys.stdout.isatty() and not quiet:
            self._live = Live(console=Console(), auto_refresh=False)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self.refresh()
            self._live.stop()

    def refresh(self) -> None:
        if self._live is not None:
            self._live.update(_drawn(self._picture), refresh=True)

    def moved(self, change: dict[str, Any]) -> None:
        """One change, where there is no table to show it in."""
        if self._live is None and not self._quiet:
            print(line(change, self._picture.day), flush=True)


def line(change: dict[str, Any], day: date) -> str:
    """A change in one line, with the business day at which it came."""
    return (
        f"{day}  {visible(change['customer_code']):<16} {change['scheme']:<18} {change['from_tier']:>8} → "
        f"{change['to_tier']:<8} {change['total']:>16}  from {change['effective_on']}  {change['reason']}"
    )


def _drawn(picture: Picture) -> Group:
    moves = Table(title="latest tier changes", title_justify="left", expand=False)
    for name in ("customer", "scheme", "from", "to", "total, yuan", "effective", "why"):
        moves.add_column(name, justify="right" if name.startswith("total") else "left", no_wrap=True)
    for change in reversed(picture.moves):
        moves.add_row(
            Text(visible(change["customer_code"])),
            change["scheme"],
            change["from_tier"],
            Text(change["to_tier"], style=_COLOURS.get(change["direction"], "")),
            change["total"],
            change["effective_on"],
            change["reason"],
        )
    tiers = Table(title="customers by tier", title_justify="left")
    tiers.add_column("scheme")
    tiers.add_column("tiers")
    for scheme, counted in picture.by_tier().items():
        tiers.add_row(scheme, "   ".join(f"{tier} {count}" for tier, count in counted.items()))
    head = Text.assemble(
        (f"{picture.label}   ", "bold"),
        ("business day ", ""),
        (f"{picture.day}\n", "bold cyan"),
        f"sent {picture.sent}   booked {picture.booked}   came twice {picture.repeated}   held {picture.held}   "
        f"rejected {picture.rejected}   dead letters {picture.dead_letters}   tier changes {picture.changes}",
        f"\nyears closed: {', '.join(picture.closed_years)}" if picture.closed_years else "",
    )
    return Group(head, moves, tiers)
