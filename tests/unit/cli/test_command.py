"""What all commands share: their options, one session that is opened when it is needed, and how they wait and end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import typer

from cli import command as common
from cli import instance
from cli.command import Call, bad_call, command, command_with, one_of
from cli.instance import CommandError, Exit, Refused
from shared.kernel.lines import LINES, Line
from tests.unit.cli.fake_session import FakeSession, run, session

pytestmark = pytest.mark.req("PLT-14")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[FakeSession]:
    """The sessions that were opened."""
    sessions: list[FakeSession] = []

    def open_session(_data: Any, user: str, timeout: float) -> FakeSession:
        made = session(lambda _: httpx.Response(200, json={"n": 1}), tmp_path)
        made.user, made.timeout_s = user, timeout
        sessions.append(made)
        return made

    monkeypatch.setattr(common, "open_session", open_session)
    return sessions


def registered(function: Any) -> Any:
    return lambda app: app.command("go")(function)


def test_a_command_is_handed_what_its_line_says(opened: list[FakeSession]) -> None:
    @command
    def go(call: Call, name: str, twice: Annotated[bool, typer.Option("--twice")] = False) -> None:
        """Go."""
        call.show({"name": name, "twice": twice, **call.session.get("tiering", "/v1/x")}, str)

    result = run(registered(go), "go", "A", "--twice", "--as", "centre", "--timeout", "7", "--json")
    assert json.loads(result.stdout) == {"name": "A", "twice": True, "n": 1}
    (only,) = opened
    assert (only.user, only.timeout_s) == ("centre", 7.0)
    assert only._client is None, "it is closed at the end"


def test_a_command_takes_the_common_options_that_it_names_and_no_others(opened: list[FakeSession]) -> None:
    @command_with("data")
    def go(call: Call) -> None:
        call.show(call.session.user, str)

    assert run(registered(go), "go", "--data", "somewhere").stdout == "operator\n"
    assert run(registered(go), "go", "--as", "centre").exit_code == Exit.BAD_CALL


def test_a_bad_call_is_told_before_a_missing_instance(opened: list[FakeSession]) -> None:
    @command
    def go(call: Call) -> None:
        raise bad_call("cli.nothing_to_change")

    failure = run(registered(go), "go").exception
    assert isinstance(failure, CommandError) and failure.code == Exit.BAD_CALL
    assert opened == []


def test_a_choice_that_may_come_several_times_knows_every_value_of_its_literal() -> None:
    parse = one_of(Line)
    assert [parse(line) for line in LINES] == list(LINES)
    with pytest.raises(typer.BadParameter, match="letters, logistics"):
        parse("bread")


# Waiting and giving up
# -------------------------------------------------------------------------------------------------------


def answers(*statuses: int) -> Iterator[httpx.Response]:
    for status in statuses:
        yield httpx.Response(status, json={"code": "internal_error", "detail": "An error on our side."})
    while True:
        yield httpx.Response(200, json={})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(instance.time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_service_that_is_away_is_asked_again(status: int, pauses: list[float], tmp_path: Path) -> None:
    come = answers(status, status, status)
    assert session(lambda _: next(come), tmp_path).get("tiering", "/v1/x") == {}
    assert len(pauses) == 3
    assert all(pause <= 1.0 for pause in pauses)


@pytest.mark.parametrize("status", [500, 501])
def test_a_fault_of_a_service_is_told_at_once_with_where_to_look(
    status: int, pauses: list[float], tmp_path: Path
) -> None:
    come = answers(status)
    with pytest.raises(Refused) as told:
        session(lambda _: next(come), tmp_path).get("tiering", "/v1/x")
    assert (told.value.code, told.value.status, pauses) == (Exit.REFUSED, status, [])
    first, second = str(told.value).splitlines()
    assert first == "An error on our side. (internal_error)"
    assert str(tmp_path / "logs" / "tiering.log") in second


def test_pauses_grow_and_the_command_gives_up_with_4_when_its_time_is_over(
    pauses: list[float], tmp_path: Path
) -> None:
    asked = session(lambda _: httpx.Response(503), tmp_path)

    def lost(_: Any) -> httpx.Response:
        if len(pauses) == 12:
            asked.timeout_s = 0
        return httpx.Response(503)

    asked._client = httpx.Client(transport=httpx.MockTransport(lost))
    with pytest.raises(CommandError) as over:
        asked.get("tiering", "/v1/x")
    assert over.value.code == Exit.TIMEOUT
    assert pauses[0] < 0.1 < pauses[-1] <= 1.0
