"""What became of what a demo played: tier changes, figures, held transactions, read from the interfaces of tiering."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cli import dead_letters, suspense
from cli.demo_screen import Picture, Screen
from cli.instance import Session

_PAGE: Final = 1000
_COUNT_EVERY_S: Final = 2.0
_COUNTED: Final = re.compile(r"^(keypost_records_total|keypost_duplicates_total)\{([^}]*)\} (\S+)$", re.M)


@dataclass(slots=True)
class Watch:
    """Keeps a picture up to date and shows it."""

    session: Session
    picture: Picture
    screen: Screen
    _cursor: str = ""
    _counted_at: float = -1e9
    _metrics: dict[str, float] = field(default_factory=dict)
    _handled: float = 0
    _before: tuple[int, int] = (0, 0)
    """How many were held and dead-lettered before."""

    def begin(self) -> None:
        """Takes note of everything that was there before."""
        for change in self._news():
            self.picture.know(change)
        self._metrics = self._scrape()
        self._before = self._waiting()

    def look(self, *, everything: bool = False) -> None:
        """Brings the picture up to date; the counters only now and then, because they cost more."""
        for change in self._news():
            self.picture.add(change)
            self.screen.print_change(change)
        if everything or time.monotonic() - self._counted_at > _COUNT_EVERY_S:
            self._count()
        self.screen.refresh()

    def _news(self) -> Iterator[dict[str, Any]]:
        while True:
            page = self.session.get(
                "tiering",
                "/v1/tier-changes",
                params={"after": self._cursor, "limit": _PAGE},
            )
            for event in page["items"]:
                yield event["data"]
            self._cursor = page["next"]
            if not page["more"]:
                return

    def _count(self) -> None:
        found = self._scrape()
        grown = {
            # A service that was restarted counts from zero again.
            name: value - self._metrics.get(name, 0.0) if value >= self._metrics.get(name, 0.0) else value
            for name, value in found.items()
        }
        self._metrics = found
        self._handled += grown.get("keypost_records_total", 0.0)
        self.picture.repeated += int(grown.get("keypost_duplicates_total", 0.0))
        held, dead = self._waiting()
        self.picture.held, self.picture.dead_letters = held - self._before[0], dead - self._before[1]
        not_booked = self.picture.repeated + self.picture.held + self.picture.dead_letters
        self.picture.booked = max(0, int(self._handled) - not_booked)
        self._counted_at = time.monotonic()

    def _scrape(self) -> dict[str, float]:
        text = self.session.request("GET", "tiering", "/metrics").text
        return {
            name: float(value)
            for name, labels, value in _COUNTED.findall(text)
            if 'consumer="tiering.transactions"' in labels
        }

    def _waiting(self) -> tuple[int, int]:
        held = suspense.items_in(self.session)
        return len(held), len(dead_letters.letters(self.session, "tiering", "open"))
