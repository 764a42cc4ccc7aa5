"""Pauses between tries at what passes by itself."""

from __future__ import annotations

from collections.abc import Callable
from secrets import SystemRandom

_random = SystemRandom()


class Backoff:
    """Pauses that grow from `first` to `last` seconds, each shortened by up to half so that two processes part."""

    def __init__(
        self, first: float = 0.1, last: float = 5.0, jitter: Callable[[], float] = _random.random
    ) -> None:
        self._first = first
        self._last = last
        self._jitter = jitter
        self._attempt = 0

    def next(self) -> float:
        pause = min(self._last, self._first * float(2 ** min(self._attempt, 20)))
        self._attempt += 1
        return pause * (1 - self._jitter() / 2)

    def reset(self) -> None:
        self._attempt = 0
