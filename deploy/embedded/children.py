"""A supervised process: how it is started, what became of it, and what is said of its end."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.embedded.processes import EngineError, ProcessId, log_tail
from deploy.embedded.stopping import end_engine_or_service
from deploy.embedded.terminal import say

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
    said: str = ""
    """The last trouble that was told, so that one which lasts is told once."""

    def tell(self, trouble: str) -> None:
        if trouble != self.said:
            say(trouble)
            self.said = trouble

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


def last_words(log: Path) -> str:
    """The line in which a process most likely said why it ended, and where the rest stands."""
    lines = [line.strip() for line in log_tail(log, 40).splitlines() if line.strip()]
    why = next(
        (line for line in reversed(lines) if "Error" in line or "error" in line), lines[-1] if lines else ""
    )
    return f"{why[:400]} (more in {log})" if why else f"it said nothing (in {log})"
