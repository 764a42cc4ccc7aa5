"""Processes that outlive the one that started them: how they are started, recognised again and ended.

A pid alone is no identity, because the system hands it out again. Every process is therefore remembered as
its pid and the instant the kernel says it started, within one boot.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class EngineError(Exception):
    """Something an operator must know and can act on. The text is the whole message: it is printed as it
    stands.
    """


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that is ours for certain: `started` tells it from a later process with the same pid."""

    pid: int
    started: str

    def alive(self) -> bool:
        return _started(self.pid) == self.started

    def to_json(self) -> dict[str, Any]:
        return {"pid": self.pid, "started": self.started}

    @classmethod
    def from_json(cls, value: Any) -> ProcessId | None:
        match value:
            case {"pid": int(pid), "started": str(started)}:
                return cls(pid, started)
        return None

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        started = _started(pid)
        return None if started is None else cls(pid, started)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"


def _started(pid: int) -> str | None:
    """When the process started, or None when there is none or only its unburied remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
        return _started_by_ps(pid)
    # The name in parentheses may hold spaces and parentheses itself, so the fields are counted from its end.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"


def _started_by_ps(pid: int) -> str | None:
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(shown) < 2 or shown[0].startswith("Z") else shown[1].strip()


@dataclass(frozen=True, slots=True)
class Account:
    """The system account a process runs under when the caller is root and the program refuses root."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | str = "/",
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process of its own session, so that neither Ctrl-C nor the end of its starter reaches it.

    Its output goes to a file and not through a pipe: a pipe would break with the starter. The file is opened
    for appending, which is what lets `bound_log` cut it while the process writes.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account.uid, "group": account.gid, "extra_groups": []}
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            **identity,
        )
    finally:
        os.close(descriptor)


def bound_log(log: Path, limit_bytes: int = 8 * 1024 * 1024) -> None:
    """Keep one predecessor of a log and cut the log itself once it is over the limit."""
    try:
        if log.stat().st_size <= limit_bytes:
            return
        with log.open("r+b") as current:
            current.seek(-limit_bytes, os.SEEK_END)
            log.with_name(f"{log.name}.1").write_bytes(current.read())
            current.truncate(0)
    except OSError:
        # A log that cannot be turned is not worth stopping for: the next round tries again.
        return


def log_tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, to show beside a failure."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 16_384))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def wait_until(
    condition: Callable[[], bool],
    timeout_s: float,
    pause_s: float = 0.05,
    give_up: Callable[[], bool] | None = None,
) -> bool:
    """Look at a condition until it holds, the time is over or `give_up` says that it never will."""
    deadline = time.monotonic() + timeout_s
    while True:
        if condition():
            return True
        if time.monotonic() >= deadline or (give_up is not None and give_up()):
            return condition()
        time.sleep(pause_s)


def end(
    process: ProcessId,
    *,
    first: signal.Signals = signal.SIGTERM,
    grace_s: float = 10.0,
    last: signal.Signals = signal.SIGKILL,
    reap: subprocess.Popen[bytes] | None = None,
) -> None:
    """Ask a process to stop and make it stop when it does not within the grace period."""

    def gone() -> bool:
        if reap is not None:
            reap.poll()
        return not process.alive()

    for number, patience in ((first, grace_s), (last, 5.0), (signal.SIGKILL, 10.0)):
        if gone():
            return
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return
        if wait_until(gone, patience):
            return
    raise EngineError(f"process {process.pid} does not end, not even when killed")
