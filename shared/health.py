"""Readiness as named checks that answer with a reason, and a watch over the event loop from outside of it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

log = structlog.get_logger(__name__)

ReadinessCheck = Callable[[], Awaitable[str | None]]
"""None when well, else the reason in a few plain words (they are shown to operators)."""

CHECK_SECONDS: Final = 3.0
EXIT_STUCK: Final = 70
"""The exit code of a process that gave itself up; its supervisor starts it again."""


async def reasons(checks: Mapping[str, ReadinessCheck]) -> dict[str, str]:
    """The checks that are not well and why; a check that hangs or raises is not well either."""
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    return {name: answer for name, answer in zip(checks, answers, strict=True) if answer is not None}


async def warnings(ask: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
    """What a person has to look at although the work is done; nothing where that cannot be found out just now."""
    try:
        return await asyncio.wait_for(ask(), CHECK_SECONDS)
    except Exception as error:
        log.debug("warnings could not be read", error=type(error).__name__)
        return {}


async def _ask(check: ReadinessCheck) -> str | None:
    try:
        return await asyncio.wait_for(check(), CHECK_SECONDS)
    except TimeoutError:
        return "no answer in time"
    except Exception as error:
        return type(error).__name__


def give_up(reason: str) -> None:
    """End the process at once. A clean shutdown would wait for the very thing that is stuck, and nothing is lost:
    whatever has not committed is done again after the restart."""
    log.critical("the process gives itself up and leaves the restart to its supervisor", reason=reason)
    os._exit(EXIT_STUCK)


class LoopWatch:
    """A thread that ends the process when its event loop has stopped turning.

    It counts its own ticks and not seconds: a process that was stopped (SIGSTOP, a suspended machine) must not take
    the pause for a stuck loop when it wakes up.
    """

    def __init__(self, tick_seconds: float = 5.0, ticks: int = 24) -> None:
        self._tick = tick_seconds
        self._ticks = ticks
        self._beats = 0
        self._stopped = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._beat())
        threading.Thread(target=self._watch, name="loop-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._task is not None:
            self._task.cancel()

    async def _beat(self) -> None:
        while True:
            self._beats += 1
            await asyncio.sleep(self._tick / 2)

    def _watch(self) -> None:
        seen, silent = -1, 0
        while not self._stopped.wait(self._tick):
            silent = silent + 1 if self._beats == seen else 0
            seen = self._beats
            if silent >= self._ticks:
                give_up("the event loop has stopped turning")
