"""A stand-in for a service, for tests of the supervisor and the command line: ready at once, and told what to
say.

It is copied as `services/<name>/__main__.py` into a checkout of the tests' own and imports nothing of ours,
so that it starts in a moment. Its account of its progress comes from a file beside its failpoints,
`<name>.progress`. The due times listed there as `timers` (microseconds) fire once the sandbox's clock has
reached them and are noted in `<name>.fired`.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FILE = Path(os.environ["KEYPOST_FAILPOINTS_FILE"])
NAME = FILE.name


def told() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(FILE.with_name(f"{NAME}.progress").read_text())
    except FileNotFoundError:
        return {}
    return found


def account() -> dict[str, Any]:
    said = told()
    timers = sorted(said.pop("timers", []))
    fired = FILE.with_name(f"{NAME}.fired")
    done = [int(line.split()[0]) for line in fired.read_text().splitlines()] if fired.exists() else []
    waiting = [timer for timer in timers if timer not in done]
    if (clock := os.environ.get("KEYPOST_SANDBOX_CLOCK")) and waiting:
        now = struct.unpack("<q", Path(clock).read_bytes())[0]
        if waiting[0] <= now:
            # One at a time, and seen as due once: as a service is between two of its timers.
            with fired.open("a") as stream:
                stream.write(f"{waiting[0]} {now}\n")
            return {"timers_due": 1, **said}
    following = None
    if waiting:
        following = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=waiting[0])).isoformat()
    return {
        "service": NAME, "positions": {}, "outbox_pending": 0, "timers_due": 0, "work_pending": 0,
        "next_timer_at": following, **said,
    }  # fmt: skip


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(account() if self.path == "/ops/progress" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is worth a line."""


if __name__ == "__main__" and "migrate" not in sys.argv:
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["KEYPOST_HTTP_PORT"])), Answers).serve_forever()
