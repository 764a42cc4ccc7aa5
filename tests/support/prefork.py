"""Runs commands of the product in processes of their own without the second that Python takes to load them.

A process that has loaded the command line forks for each command: what runs is `cli.main` with arguments, environment,
standard streams and exit code of its own, as under `python -m cli`. The launcher in front of it is proved in
`tests/e2e/test_lifecycle.py`, which always starts it as a user does.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Prefork:
    """The loaded process; one command at a time, each caller waits for its turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, arguments: tuple[str, ...], environment: dict[str, str], seconds: float
    ) -> tuple[int, str, str]:
        """Exit code, standard output and standard error. TimeoutError when the command takes too long."""
        with self._lock, tempfile.TemporaryDirectory(prefix="keypost-command-") as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            asked = {
                "arguments": arguments,
                "environment": environment,
                "out": str(out),
                "err": str(err),
                "seconds": seconds,
            }
            process = self._loaded()
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, "the process that starts commands has died"
            code = json.loads(answer)
            if code is None:
                raise TimeoutError(
                    f"keypost {' '.join(arguments)} took more than {seconds:.0f} s: {_text(err)}"
                )
            return code, _text(out), _text(err)

    def _loaded(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.prefork"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            atexit.register(self.close)
        return self._process

    def close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(30)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.exists() else ""


COMMANDS = Prefork()


def serve() -> None:
    """Fork once for every line on standard input, and answer with the exit code; null where the time was over."""
    import cli

    for part in pkgutil.iter_modules(cli.__path__):
        if part.name != "__main__":
            importlib.import_module(f"cli.{part.name}")
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(asked)
        done = _wait(child, asked["seconds"])
        print(json.dumps(done), flush=True)


def _wait(child: int, seconds: float) -> int | None:
    """The exit code of a child; None after it had to be killed."""
    late = threading.Event()

    def end() -> None:
        late.set()
        os.kill(child, 9)

    timer = threading.Timer(seconds, end)
    timer.start()
    _, status = os.waitpid(child, 0)
    timer.cancel()
    return None if late.is_set() else os.waitstatus_to_exitcode(status)


def _become(asked: dict[str, Any]) -> None:
    """Run the command in this process, which ends with it."""
    code = 70
    try:
        for number, (file, flags) in enumerate(
            (
                (os.devnull, os.O_RDONLY),
                (asked["out"], os.O_WRONLY | os.O_CREAT),
                (asked["err"], os.O_WRONLY | os.O_CREAT),
            )
        ):
            os.dup2(os.open(file, flags, 0o600), number)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(ROOT)
        sys.argv = ["keypost", *asked["arguments"]]
        from cli.main import main

        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else (0 if end.code is None else 1)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not `sys.exit`: what the parent registered for its own end is not the child's to do.
        os._exit(code)


if __name__ == "__main__":
    serve()
