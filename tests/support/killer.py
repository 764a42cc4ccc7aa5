"""Kills what an instance runs, with `kill -9`, while work goes on; a seed decides when.

A strike is the name of a process (`tiering`, `kafka`, `postgres` …), struck at some moment, or
`service:failpoint=kill@N`: the process is killed, starts again armed, and kills itself at a place that random kills hardly
ever meet, such as between a database commit and the relay's commit.

A `Killer` spreads its strikes over the phases of a scenario, a `Storm` carries out its own one after the other beside
work that goes on until it is over.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from tests.support.streams import ClosePeriod, ImportCustomers, Phase, Publish

PATIENCE_SECONDS = 120.0
MANY_RECORDS = 150


class Striker:
    """Carries out strikes on the processes of one instance. `done` counts what was struck, by name."""

    def __init__(self, data: Path, seed: int) -> None:
        self._data = data
        self._random = Random(seed)
        self.done: Counter[str] = Counter()
        self.log: list[str] = []

    def strike(self, strike: str) -> None:
        """One strike from beginning to end: the process is running again, and unarmed, when this returns."""
        name, _, orders = strike.partition(":")
        if orders:
            self._wait_for_death(*self._arm_and_kill(strike))
        else:
            pid = self._pid(name)
            os.kill(pid, signal.SIGKILL)
            self._count(name, name, pid)
            self._replaced(name, pid)

    def _wait_for_death(self, strike: str, pid: int) -> None:
        """Disarm as soon as the armed process has killed itself: else it would do so at every start."""
        name = strike.partition(":")[0]
        self._wait(lambda: self._pid_or_none(name) not in (None, pid), f"{strike} to be met")
        (self._data / "failpoints" / name).unlink(missing_ok=True)
        self._count(name, strike, pid)

    def _arm_and_kill(self, strike: str) -> tuple[str, int]:
        name, _, orders = strike.partition(":")
        pid = self._pid(name)
        (self._data / "failpoints" / name).write_text(orders)
        os.kill(pid, signal.SIGKILL)
        self._count(name, strike, pid)
        return strike, self._replaced(name, pid)

    def _count(self, name: str, strike: str, pid: int) -> None:
        self.done[name] += 1
        self.log.append(f"{time.monotonic():.1f} {strike} killed pid {pid}")

    def _pid_or_none(self, name: str) -> int | None:
        process: dict[str, Any] | None = json.loads((self._data / "state.json").read_text())["processes"].get(
            name
        )
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

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
            threading.Event().wait(0.02)


class Killer(Striker):
    """Spreads strikes over the phases of a scenario and carries them out."""

    def __init__(self, data: Path, phases: Sequence[Phase], strikes: Sequence[str], seed: int) -> None:
        super().__init__(data, seed)
        self._plan: dict[int, list[str]] = defaultdict(list)
        for strike in strikes:
            fitting = [number for number, phase in enumerate(phases) if _fits(strike, phase)]
            # A failpoint needs a phase to itself: whoever kills the process beside it takes its orders away.
            if "close_chunk" in strike:
                fitting = fitting[:1]  # A year that is asked for again has nothing left to close.
            free = [number for number in fitting if not self._plan[number]]
            self._plan[self._random.choice(free or fitting)].append(strike)

    @contextmanager
    def during(self, number: int) -> Iterator[None]:
        """Strike while the phase with this number runs, and see everything started again before the next."""
        strikes = self._plan[number]
        errors: list[BaseException] = []
        threads = [
            threading.Thread(
                target=self._await_armed, args=(*self._arm_and_kill(strike), errors), daemon=True
            )
            for strike in strikes
            if ":" in strike
        ]
        names = [strike for strike in strikes if ":" not in strike]
        threads.append(threading.Thread(target=self._strike_all, args=(names, errors), daemon=True))
        for thread in threads:
            thread.start()
        yield
        for thread in threads:
            thread.join(PATIENCE_SECONDS * (len(strikes) + 1))
            assert not thread.is_alive(), f"a strike of phase {number} did not come to its end: {strikes}"
        if errors:
            raise errors[0]

    def _await_armed(self, strike: str, pid: int, errors: list[BaseException]) -> None:
        try:
            self._wait_for_death(strike, pid)
        except BaseException as error:
            errors.append(error)

    def _strike_all(self, names: Sequence[str], errors: list[BaseException]) -> None:
        try:
            for name in names:
                threading.Event().wait(self._random.uniform(0.05, 0.8))
                self.strike(name)
        except BaseException as error:
            errors.append(error)


class Storm(Striker):
    """Strikes one after the other, in an order and with pauses that the seed decides, while other threads work."""

    def __init__(self, data: Path, strikes: Sequence[str], seed: int, calm_seconds: float = 1.0) -> None:
        super().__init__(data, seed)
        self._strikes = self._random.sample(strikes, len(strikes))
        self._calm = calm_seconds
        self._thread = threading.Thread(target=self._rage, daemon=True)
        self._halt = threading.Event()
        self._error: BaseException | None = None

    def begin(self) -> None:
        self._thread.start()

    def wait(self, seconds: float, trouble: Callable[[], bool] = lambda: False) -> None:
        """Until the last strike is over; earlier, where something has stopped the storm (`check`) or there is trouble."""
        deadline = time.monotonic() + seconds
        while self._thread.is_alive() and not trouble():
            assert time.monotonic() < deadline, f"the storm is not over after {seconds:.0f} s: {self.log}"
            self._thread.join(0.2)
        self._halt.set()
        self._thread.join(PATIENCE_SECONDS)

    def check(self) -> None:
        """Raises what stopped the storm early, if anything did."""
        if self._error is not None:
            raise self._error

    def _rage(self) -> None:
        try:
            for strike in self._strikes:
                if self._halt.wait(self._random.uniform(0.3, 1.7) * self._calm):
                    return
                self.strike(strike)
            self._halt.wait(self._calm)
        except BaseException as error:
            self._error = error


def _fits(strike: str, phase: Phase) -> bool:
    """Where a strike can be met: a failpoint needs a phase that leads its process to that place."""
    if "close_chunk" in strike:
        return isinstance(phase, ClosePeriod) and phase.exit_code == 0
    if strike.startswith("registry:"):
        return isinstance(phase, ImportCustomers) and len(phase.rows) >= 5
    if ":" in strike:
        return isinstance(phase, Publish) and len(phase.records) >= MANY_RECORDS
    return isinstance(phase, Publish | ImportCustomers | ClosePeriod)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
