"""A file that is played in a demo: its transactions in their order, at the pace of its business days."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from cli.close_period import close_and_wait
from cli.demo_watch import Watch
from cli.idle import wait_idle
from cli.instance import Refused, Session
from cli.played_stream import EventFile, Item
from cli.transaction_rows import Rejected
from cli.words import phrase

_EVENTS_A_CALL: Final = 1000
_TICK_S: Final = 0.15
_GAP_DAYS_MAX: Final = 40
"""A longer gap in a file is passed over as fast as this one."""
_CLOSES_ON: Final = (1, 6)


@dataclass(slots=True)
class FilePlayer:
    """Publishes a file step by step and follows what tiering makes of it."""

    session: Session
    file: EventFile
    speed: float
    watch: Watch
    seconds: float | None = None
    """Stop after so many seconds of playing."""

    def play(self) -> None:
        """To the last change of the last event."""
        began = time.monotonic()
        picture = self.watch.picture
        for step in self.file.steps():
            if self.seconds is not None and time.monotonic() - began >= self.seconds:
                break
            picture.day = step.on
            self._send_over(step.items, step.on, step.until)
            self._close_years(step.on, step.until)
        else:
            picture.day = self.file.last
        wait_idle(self.session)
        self.watch.look(everything=True)

    def _send_over(self, items: Sequence[Item], on: date, until: date) -> None:
        """Sends a step's transactions evenly over the time that its days take."""
        # A demo lasts as long as its stream; patience is for each step of it.
        self.session.began = time.monotonic()
        length = min((until - on).days, _GAP_DAYS_MAX)
        seconds = length / self.speed if self.speed else 0.0
        parts = max(1, round(seconds / _TICK_S), -(-len(items) // _EVENTS_A_CALL))
        began = time.monotonic()
        for part in range(parts):
            self._send(items[len(items) * part // parts : len(items) * (part + 1) // parts])
            self.watch.picture.day = on + (until - on) * part // parts
            self.watch.look()
            time.sleep(max(0.0, began + seconds * (part + 1) / parts - time.monotonic()))

    def _send(self, items: Sequence[Item]) -> None:
        events = [item for item in items if not isinstance(item, Rejected)]
        picture = self.watch.picture
        picture.rejected += len(items) - len(events)
        if not events:
            return
        answer = self.session.post("tiering", "/v1/transactions", events)
        picture.sent += answer["accepted"]
        picture.rejected += answer["rejected"]

    def _close_years(self, on: date, until: date) -> None:
        """Closes a year whose 6 January lies on the way to the next step, once all that was sent is booked."""
        for year in range(on.year - 1, until.year):
            if not on < date(year + 1, *_CLOSES_ON) <= until:
                continue
            wait_idle(self.session)
            try:
                _close, new = close_and_wait(self.session, str(year), quiet=True)
            except Refused as refused:
                self.watch.picture.notes.append(phrase("cli.demo.not_closed", year=year, why=refused))
                continue
            if new:
                self.watch.picture.closed_years.append(str(year))
            self.watch.look()
