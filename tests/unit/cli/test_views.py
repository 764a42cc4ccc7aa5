"""`keypost views` without an instance: what it asks, how it waits, what it says, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import command, views
from tests.unit.cli.fake_session import body, run, session

VIEW: dict[str, Any] = {
    "view": "customer_view",
    "rows": 3,
    "only_served": 0,
    "only_rebuilt": 0,
    "different": 0,
    "examples": [],
    "kept_from_expired": 0,
}


def told(state: str, **report: Any) -> dict[str, Any]:
    finished = state not in ("asked", "running")
    given = {
        "differences": 0,
        "exchanged": False,
        "views": [VIEW],
        "expired": [],
        "skipped": 0,
        "error": None,
        **report,
    }
    return {
        "id": 7,
        "compare_only": False,
        "accept_differences": False,
        "state": state,
        "finished_at": "2026-03-09T10:11:12.345+08:00" if finished else None,
        "records_read": 5,
        "records_to_read": 9,
        "report": given if finished else None,
    }


@pytest.mark.req("REP-1")
@pytest.mark.parametrize(
    ("arguments", "end", "asked", "words", "code"),
    [
        (["rebuild"], told("done", exchanged=True), {"accept_differences": False}, "have taken over", 0),
        (
            ["rebuild"],
            told(
                "differs",
                differences=1,
                views=[{**VIEW, "different": 1, "examples": ["different: A\x1b1"]}],
                expired=[{"topic": "tiering.suspense.v1", "partition": n, "records": 4} for n in range(2)],
            ),
            {"accept_differences": False},
            "1 differences: the old views go on serving",
            1,
        ),
        (
            ["rebuild", "--accept-differences"],
            told("done", exchanged=True, differences=2, skipped=1),
            {"accept_differences": True},
            "taken over in spite of 2 differences",
            0,
        ),
        (["compare"], {**told("done"), "compare_only": True}, {"compare_only": True}, "0 differences", 0),
        (
            ["rebuild"],
            told("failed", error="KeyError at x.py:1"),
            {"accept_differences": False},
            "failed: KeyError",
            1,
        ),
    ],
)
def test_a_rebuild_is_followed_to_its_end_and_differences_that_stay_are_exit_1(
    arguments: list[str],
    end: dict[str, Any],
    asked: dict[str, Any],
    words: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = [told("running"), end]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert (request.url.path, body(request)) == ("/v1/views/rebuild", asked)
            return httpx.Response(202, json=told("asked"))
        assert request.url.path == "/v1/views/rebuilds/7"
        return httpx.Response(200, json=steps.pop(0))

    monkeypatch.setattr(command, "open_session", lambda *_: session(answer, tmp_path))
    monkeypatch.setattr(views, "_REST_S", 0)
    done = run(views.register, "views", *arguments)
    assert words in done.stdout and done.exit_code == code, done.output
    assert "\x1b" not in done.stdout
    if "tiering.suspense.v1" in json.dumps(end):
        assert "tiering.suspense.v1: up to 8 records have expired" in done.stdout and "A\\x1b1" in done.stdout
    steps[:] = [told("running"), end]
    printed = run(views.register, "views", *arguments, "--json")
    assert json.loads(printed.stdout) == end and printed.exit_code == code
