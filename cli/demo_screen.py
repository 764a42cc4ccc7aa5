"""What `keypost demo` shows while it plays: tables that move on a terminal, elsewhere a line for everything that happens."""

from __future__ import annotations

import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import date
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group, JustifyMethod
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.printable import visible
from cli.words import padding, phrase, word
from shared.texts import codes

_MOVES_SHOWN: Final = 10
_NEWS_SHOWN: Final = 14
_TIERS: Final = codes("tier")[::-1]
"""Low to high."""
_COLOURS: Final = {"promotion": "green", "demotion": "red", "correction": "yellow"}


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened, as a topic or an answer has it: when, in words, and under which name it is counted."""

    on: str
    """The business time, to the minute."""
    text: str
    counted: str
    alarming: bool = False


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
    news: deque[News] = field(default_factory=lambda: deque(maxlen=_NEWS_SHOWN))
    happened: Counter[str] = field(default_factory=Counter)
    """How often something happened under each name, such as `declaration.approved` or `claims.window_opened`."""
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

    def tell(self, news: News) -> None:
        self.news.append(news)
        self.happened[news.counted] += 1

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
            "happened": dict(sorted(self.happened.items())),
            "notes": self.notes,
        }


def _rank(pair: tuple[str, int]) -> tuple[int, str]:
    return (_TIERS.index(pair[0]) if pair[0] in _TIERS else len(_TIERS), pair[0])


class Screen:
    """Shows a picture again whenever it is asked to."""

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
            self._live.update(_draw(self._picture), refresh=True)

    def print_change(self, change: dict[str, Any]) -> None:
        """One change, where there is no table to show it in."""
        if self._live is None and not self._quiet:
            print(line(change, self._picture.day), flush=True)

    def print_news(self, news: News) -> None:
        """Something that happened, where there is no table to show it in."""
        if self._live is None and not self._quiet:
            print(f"{news.on}  {news.text}", flush=True)


def line(change: dict[str, Any], day: date) -> str:
    """A change in one line, with the business day at which it came."""
    before, after = word("tier", change["from_tier"]), word("tier", change["to_tier"])
    return (
        f"{day}  {visible(change['customer_code']):<16} {change['scheme']:<18}"
        f" {padding(before, 8)}{before} → {after}{padding(after, 8)} {change['total']:>16}"
        f"  {phrase('cli.demo.effective')} {change['effective_on']}  {word('change', change['reason'])}"
    )


def _draw(picture: Picture) -> Group:
    parts: list[Any] = [_head(picture)]
    if picture.news:
        parts.append(_news(picture))
    return Group(*parts, _moves(picture), _tiers(picture))


def _head(picture: Picture) -> Text:
    figures = (
        (phrase("cli.demo.sent"), picture.sent),
        (phrase("cli.demo.booked"), picture.booked),
        (phrase("cli.demo.repeated"), picture.repeated),
        (phrase("cli.demo.held"), picture.held),
        (phrase("cli.demo.rejected"), picture.rejected),
        (phrase("cli.demo.dead_letters"), picture.dead_letters),
        (phrase("cli.demo.tier_changes"), picture.changes),
    )
    closed = phrase("cli.demo.closed_years", years=picture.closed_years)
    return Text.assemble(
        (f"{picture.label}   ", "bold"),
        (f"{phrase('cli.demo.business_day')} ", ""),
        (f"{picture.day}\n", "bold cyan"),
        "   ".join(f"{name} {figure}" for name, figure in figures),
        f"\n{closed}" if picture.closed_years else "",
        *(f"\n{note}" for note in picture.notes),
    )


def _news(picture: Picture) -> Table:
    table = Table(title=phrase("cli.demo.news"), title_justify="left", expand=True)
    table.add_column(phrase("cli.demo.when"), no_wrap=True, width=16)
    table.add_column("", ratio=1, overflow="ellipsis", no_wrap=True)
    for news in reversed(picture.news):
        table.add_row(news.on, Text(news.text, style="bold red" if news.alarming else ""))
    return table


def _moves(picture: Picture) -> Table:
    table = Table(title=phrase("cli.demo.latest_changes"), title_justify="left")
    for key in (
        "cli.label.customer", "cli.demo.scheme", "cli.demo.from_tier", "cli.demo.to_tier", "cli.demo.total",
        "cli.demo.effective", "cli.label.reason",
    ):  # fmt: skip
        justify: JustifyMethod = "right" if key == "cli.demo.total" else "left"
        table.add_column(phrase(key), justify=justify, no_wrap=True)
    for change in reversed(picture.moves):
        table.add_row(
            Text(visible(change["customer_code"])),
            change["scheme"],
            word("tier", change["from_tier"]),
            Text(word("tier", change["to_tier"]), style=_COLOURS.get(change["direction"], "")),
            change["total"],
            change["effective_on"],
            word("change", change["reason"]),
        )
    return table


def _tiers(picture: Picture) -> Table:
    table = Table(title=phrase("cli.demo.by_tier"), title_justify="left")
    table.add_column(phrase("cli.demo.scheme"))
    table.add_column("")
    for scheme, counted in picture.by_tier().items():
        table.add_row(scheme, "   ".join(f"{word('tier', tier)} {count}" for tier, count in counted.items()))
    return table
