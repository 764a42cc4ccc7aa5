"""Kills what an instance runs, with `kill -9`, while a scenario is being played; a seed decides when and in which order.

A strike is the name of a process (`tiering`, `kafka`, `postgres` …) or `service:failpoint=kill@N`, with which the process
kills itself at a place that random kills hardly ever meet, such as between a database commit and the relay's commit.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

PATIENCE_SECONDS = 120.0


class Killer:
    """Strikes one after the other in a thread of its own. `done` counts what was struck, by name."""

    def __init__(
        self, data: Path, strikes: list[str], seed: int, pause_seconds: tuple[float, float] = (1.0, 4.0)
    ) -> None:
        self._data = data
        self._strikes = strikes.copy()
        self._random = Random(seed)
        self._random.shuffle(self._strikes)
        self._pause = pause_seconds
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        self.log: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Strike what is left without further pauses, and wait until everything struck has been started again."""
        self._hurry.set()
        self._thread.join(PATIENCE_SECONDS * (len(self._strikes) + 2))
        assert not self._thread.is_alive(), "the killer did not come to its end"
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for strike in self._strikes:
                self._hurry.wait(self._random.uniform(*self._pause))
                self.strike(strike)
        except BaseException as error:
            self._error = error

    def strike(self, strike: str) -> None:
        with self._lock:
            name, _, orders = strike.partition(":")
            pid = self._pid(name)
            if orders:
                self._arm(name, orders)
            os.kill(pid, signal.SIGKILL)
            started = self._replaced(name, pid)
            self._count(name, strike, pid)
            if orders:
                # The armed process kills itself when it comes to the place; only then is the order taken away.
                self._wait(lambda: self._pid_or_none(name) not in (None, started), f"{strike} to be met")
                self._disarm(name)
                self._count(name, strike, started)

    def arm_and_kill(self, strike: str) -> threading.Thread:
        """Arm a failpoint now, and take it away once it was met, while the caller leads the process to it."""
        name, _, orders = strike.partition(":")
        with self._lock:
            pid = self._pid(name)
            self._arm(name, orders)
            os.kill(pid, signal.SIGKILL)
            started = self._replaced(name, pid)
            self._count(name, strike, pid)

        def wait() -> None:
            with self._lock:
                self._wait(lambda: self._pid_or_none(name) not in (None, started), f"{strike} to be met")
                self._disarm(name)
                self._count(name, strike, started)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        return thread

    def _count(self, name: str, strike: str, pid: int) -> None:
        self.done[name] += 1
        self.log.append(f"{time.monotonic():.1f} {strike} killed pid {pid}")

    def _arm(self, name: str, orders: str) -> None:
        (self._data / "failpoints" / name).write_text(orders)

    def _disarm(self, name: str) -> None:
        (self._data / "failpoints" / name).unlink(missing_ok=True)

    def _processes(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._data / "state.json").read_text())["processes"]
        return found

    def _pid_or_none(self, name: str) -> int | None:
        process = self._processes().get(name)
        if process is None:
            return None
        pid: int = process["pid"]
        return pid if _alive(pid) else None

    def _pid(self, name: str) -> int:
        self._wait(lambda: self._pid_or_none(name) is not None, f"{name} to run")
        pid = self._pid_or_none(name)
        assert pid is not None
        return pid

    def _replaced(self, name: str, pid: int) -> int:
        self._wait(lambda: self._pid_or_none(name) not in (None, pid), f"{name} to be started again")
        return self._pid(name)

    def _wait(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
            threading.Event().wait(0.02)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
