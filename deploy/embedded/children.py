"""A supervised process: how it is started, what became of it, and what is said of its end."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.embedded.kafka import say
from deploy.embedded.processes import EngineError, ProcessId, log_tail
from deploy.embedded.stopping import end_engine_or_service

FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 5.0
STEADY_S: Final = 30.0
"""A process that ran this long before it died is restarted at once again."""


@dataclass(slots=True)
class Child:
    """One supervised process: how it is started and what became of it."""

    name: str
    log: Path
    port: int
    port_name: str
    begin: Callable[[], subprocess.Popen[bytes] | None]
    """Start the process; None means that there is nothing to start yet."""
    answers: Callable[[], bool]
    fingerprint: str
    process: ProcessId | None = None
    popen: subprocess.Popen[bytes] | None = None
    ready: bool = False
    restarts: int = 0
    backoff_s: float = FIRST_BACKOFF_S
    start_at: float = 0.0
    began: float = 0.0
    next_look: float = 0.0

    def running(self) -> bool:
        if self.popen is not None:
            self.popen.poll()
        return self.process is not None and self.process.alive()

    def note(self) -> dict[str, Any] | None:
        if self.process is None:
            return None
        return {**self.process.to_json(), "fingerprint": self.fingerprint, "restarts": self.restarts}


def stop_together(children: list[Child]) -> None:
    """End processes side by side: one that is slow to stop does not keep the others waiting."""

    def stop(child: Child) -> None:
        if child.process is None:
            return
        try:
            end_engine_or_service(child.name, child.process, child.popen)
        except EngineError as problem:
            say(str(problem))

    threads = [threading.Thread(target=stop, args=(child,)) for child in children]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def exit_text(child: Child) -> str:
    code = child.popen.returncode if child.popen is not None else None
    if code is None:
        return ""
    return f" (killed by {signal.Signals(-code).name})" if code < 0 else f" (exit code {code})"


def say_tail(log: Path) -> None:
    if tail := log_tail(log, 6):
        say(f"the end of {log}:\n" + "\n".join(f"    {line}" for line in tail.splitlines()))
