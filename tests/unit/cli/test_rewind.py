"""`keypost rewind`: what it asks, what it refuses to ask, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import command, rewind
from cli.instance import CommandError, Exit, Session
from cli.rewind import target
from tests.unit.cli.fake_session import body, run, session


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("beginning", "beginning"),
        ("0", 0),
        ("123456", 123456),
        ("2026-03-01T00:00+08:00", "2026-03-01T00:00:00+08:00"),
        ("2026-02-28T16:00:00Z", "2026-02-28T16:00:00+00:00"),
    ],
)
def test_a_place_is_an_offset_an_instant_or_the_beginning(text: str, asked: int | str) -> None:
    assert target(text) == asked


@pytest.mark.parametrize("text", ["", "end", "-1", "2026-03-01T00:00", "2026-13-01T00:00+08:00", "1e5"])
def test_anything_else_is_a_bad_call(text: str) -> None:
    with pytest.raises(CommandError) as refused:
        target(text)
    assert refused.value.code == Exit.BAD_CALL


class Tiering:
    """Rewinds whatever it is asked to, by two offsets."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.moved = [{"topic": "t", "partition": 0, "before": 7, "after": 5}]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = body(request)
        self.asked.append((request.url.path, asked))
        answer = {"service": "tiering", "consumer": "transactions", "offsets_to_read": 2, "moved": self.moved}
        return httpx.Response(200, json={**answer, "dry_run": asked["dry_run"]})


@pytest.fixture
def tiering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tiering:
    fake = Tiering()
    monkeypatch.setattr(command, "open_session", lambda *_: session(fake, tmp_path))
    monkeypatch.setattr(Session, "services", ("registry", "tiering"))
    return fake


@pytest.mark.parametrize(
    ("language", "arguments", "first"),
    [
        ("en", (), "tiering transactions reads 2 offsets again"),
        ("en", ("--dry-run",), "tiering transactions would read 2 offsets again"),
        ("zh", (), "tiering 的 transactions 正在重读 2 个偏移量"),
        ("zh", ("--dry-run",), "tiering 的 transactions 将重读 2 个偏移量（试算，未作更改）"),
    ],
)
def test_what_is_read_again_is_shown_by_partition(
    monkeypatch: pytest.MonkeyPatch, tiering: Tiering, language: str, arguments: tuple[str, ...], first: str
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", language)
    shown = run(rewind.register, "rewind", "tiering", "transactions", "--to", "5", *arguments).stdout
    assert shown.splitlines() == [first, "t/0  7 → 5"]
    asked = {"to": 5, "topic": None, "partition": None, "dry_run": bool(arguments)}
    assert tiering.asked == [("/v1/consumers/transactions/rewind", asked)]


def test_a_consumer_that_has_read_nothing_from_there_on_stays_where_it_is(tiering: Tiering) -> None:
    tiering.moved = []
    shown = run(rewind.register, "rewind", "tiering", "transactions").stdout
    assert shown == "tiering transactions has read nothing from there on: nothing to rewind\n"


def test_a_service_that_does_not_exist_is_a_bad_call(tiering: Tiering) -> None:
    result = run(rewind.register, "rewind", "nobody", "transactions")
    assert getattr(result.exception, "code", None) == Exit.BAD_CALL
    assert (str(result.exception), tiering.asked) == (
        "there is no service nobody; there are registry, tiering",
        [],
    )
