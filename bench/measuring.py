"""What a run costs: CPU seconds and memory of processes, and the facts about the machine that belong to any figure."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.engines import Engines


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and all its children, those that have ended included."""
    total = 0.0
    for each in [process, *_children(process)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
            if each == process:
                total += times.children_user + times.children_system
    return total


def memory_mb(process: psutil.Process) -> float:
    """Memory of a process and its children, what they share counted once."""
    total = 0.0
    for each in [process, *_children(process)]:
        with contextlib.suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total / 1e6


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a figure was measured, and how busy others kept the machine at the time."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    load_before: float

    @classmethod
    def here(cls) -> Machine:
        model = (
            next(
                (
                    line.partition(":")[2].strip()
                    for line in Path("/proc/cpuinfo").read_text().splitlines()
                    if line.startswith("model name")
                ),
                platform.processor() or platform.machine(),
            )
            if Path("/proc/cpuinfo").exists()
            else platform.machine()
        )
        return cls(
            model,
            os.cpu_count() or 1,
            psutil.virtual_memory().total / 2**30,
            f"{platform.system()} {platform.release()}",
            platform.python_version(),
            os.getloadavg()[0],
        )


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU microseconds an event and the largest memory seen, of the contender, PostgreSQL and the broker."""

    service_us: float
    postgres_us: float
    kafka_us: float
    service_mb: float
    postgres_mb: float

    @property
    def all_us(self) -> float:
        return self.service_us + self.postgres_us + self.kafka_us


class Meter:
    """Costs from the first look at which something was done to the last, so that starting up does not count."""

    def __init__(self, engines: Engines, pid: int) -> None:
        kafka, postgres = engines.kafka.process, engines.postgres.process
        assert kafka is not None
        assert postgres is not None
        self._processes = (psutil.Process(pid), psutil.Process(postgres.pid), psutil.Process(kafka.pid))
        self._first: tuple[int, list[float]] | None = None
        self._memory = [0.0, 0.0]
        self._looks = 0

    def look(self, done: int) -> None:
        if self._first is None:
            self._first = (done, self._cpu())
        # Adding up memory page by page takes a while, so it is not done at every look.
        if self._looks % 20 == 0:
            for at in (0, 1):
                self._memory[at] = max(self._memory[at], memory_mb(self._processes[at]))
        self._looks += 1

    def costs(self, done: int) -> Costs:
        if self._first is None:
            return Costs(*[float("nan")] * 5)
        before, cpu = self._first
        spent = [
            (now - then) / max(1, done - before) * 1e6 for now, then in zip(self._cpu(), cpu, strict=True)
        ]
        return Costs(spent[0], spent[1], spent[2], self._memory[0], self._memory[1])

    def _cpu(self) -> list[float]:
        return [cpu_seconds(process) for process in self._processes]
