"""`keypost wait-idle` does not wait for what a service has given up, and names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from cli.idle import wait_idle
from tests.unit.cli.fake_session import session

FAULT: dict[str, Any] = {
    "task": "revenue",
    "item": "year 7 2026",
    "error": "ValueError at store.py:9",
    "failures": 2,
}


def test_what_was_given_up_is_named_and_not_waited_for(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health/ready":
            return httpx.Response(200, json={"status": "ready", "reasons": {}})
        idle = {
            "positions": {},
            "outbox_pending": 0,
            "timers_due": 0,
            "work_pending": 0,
            "next_timer_at": None,
        }
        return httpx.Response(200, json={**idle, "faults": [FAULT] if request.url.host == "tiering" else []})

    assert wait_idle(session(answer, tmp_path)).faults == (
        "tiering has given up revenue year 7 2026 after 2 failures: ValueError at store.py:9",
    )
