"""Days of business in a demo: the clock of a sandbox moves, counters send what arrives, people act, and all is shown.

On an instance without a clock of its own the days that have passed are played; people then act in its present.
"""

from __future__ import annotations

import contextlib
import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from cli.demo_news import Tail
from cli.demo_screen import News
from cli.demo_stories import Stage, Story
from cli.demo_watch import Watch
from cli.idle import wait_idle
from cli.instance import Refused
from cli.simulated.counters import Counters
from cli.words import phrase
from shared.clock import SHANGHAI, SandboxClock, business_date

TICK_S: Final = 0.15
_AT_ONCE: Final = timedelta(days=2)
"""How far it goes in one step where no pace is asked for."""


@dataclass(slots=True)
class Days:
    """Plays from `stage.now` to `ends`."""

    stage: Stage
    counters: Counters
    watch: Watch
    tail: Tail
    clock: SandboxClock | None
    """What moves; None where the days have passed."""
    speed: float
    """Business days a second; 0 goes as fast as the services do."""
    ends: datetime
    seconds: float | None = None
    """Stop after so many seconds of playing."""
    _waiting: list[tuple[datetime, int, str, Story]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)

    def add(self, at: datetime, about: str, story: Story) -> None:
        """Have a story begin, or go on, at that instant."""
        heapq.heappush(self._waiting, (at, next(self._order), about, story))

    def play(self) -> None:
        """Day after day, to the last effect of the last one. Ctrl-C leaves it where it is."""
        began = time.monotonic()
        while self.stage.now < self.ends:
            if self.seconds is not None and time.monotonic() - began >= self.seconds:
                break
            step_began = time.monotonic()
            # A demo lasts as long as it lasts; patience is for each step of it.
            self.stage.session.began = step_began
            self._go_to(self._next())
            self._act()
            self.look()
            if self.speed:
                time.sleep(max(0.0, step_began + TICK_S - time.monotonic()))
        self.finish()

    def finish(self) -> None:
        """What was sent takes its last effect, and is shown."""
        self.stage.session.began = time.monotonic()
        self.counters.feed.flush()
        wait_idle(self.stage.session)
        self.look(everything=True)

    def look(self, *, everything: bool = False) -> None:
        """Show what has happened since."""
        for news in self.stage.teller.say(self.tail.news()):
            self.tell(news)
        self.watch.picture.sent = self.counters.feed.sent
        self.watch.picture.day = business_date(self.stage.now)
        self.watch.look(everything=everything)

    def tell(self, news: News) -> None:
        self.watch.picture.tell(news)
        self.watch.screen.print_news(news)

    def _next(self) -> datetime:
        """Where this step goes: never past the instant at which a person wants to act, however slow the machine."""
        length = timedelta(days=self.speed * TICK_S) if self.speed else _AT_ONCE
        bounds = [self.stage.now + length, self.ends]
        if self._waiting:
            bounds.append(max(self._waiting[0][0], self.stage.now))
        return min(bounds)

    def _go_to(self, instant: datetime) -> None:
        if self.clock is not None:
            with contextlib.suppress(ValueError):  # Somebody else has moved it on: it does not go back.
                self.clock.advance_to(instant)
        self.counters.send_until(instant)
        self.stage.now = instant

    def _act(self) -> None:
        """Everybody whose time has come takes the next step of their story."""
        if not self._waiting or self._waiting[0][0] > self.stage.now:
            return
        if not self.speed:
            # Without a pace nobody waits for the services by themselves; people act upon what has had its effect.
            self.counters.feed.flush()
            wait_idle(self.stage.session)
        while self._waiting and self._waiting[0][0] <= self.stage.now:
            _at, _number, about, story = heapq.heappop(self._waiting)
            try:
                wait = next(story)
            except StopIteration:
                continue
            except Refused as refused:
                self.stage.tell_refusal(about, refused)
                continue
            self.add(self.stage.now + wait if isinstance(wait, timedelta) else wait, about, story)


def label(seed: int, started: datetime) -> str:
    """What is played, in a few words."""
    on = f"{started.astimezone(SHANGHAI):%Y-%m-%d}"
    return phrase("cli.demo.label", seed=seed, day=on)
