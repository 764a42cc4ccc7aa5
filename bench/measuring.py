"""What a run costs: CPU seconds and memory of processes, and the facts about the machine that belong to any figure."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil


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
        model = next(
            (
                line.partition(":")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.processor() or platform.machine(),
        ) if Path("/proc/cpuinfo").exists() else platform.machine()
        return cls(
            model,
            os.cpu_count() or 1,
            psutil.virtual_memory().total / 2**30,
            f"{platform.system()} {platform.release()}",
            platform.python_version(),
            os.getloadavg()[0],
        )
