"""Dead letters and held transactions on the command line: names, pages, decisions, and text that does no harm."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import command, dead_letters, suspense
from cli.printable import moment, shortened, visible
from tests.unit.cli.fake_session import body, run, session

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Answer], None]:
    def use(answer: Answer) -> None:
        monkeypatch.setattr(command, "open_session", lambda *_: session(answer, tmp_path))

    return use


class Box:
    """The dead letters of every service, or tiering's held transactions, each decided once."""

    def __init__(self, things: dict[str, dict[int, dict[str, Any]]], lose: int = 0) -> None:
        self.things = things
        self.lose = lose
        """So many answers are lost on their way, after the decision was taken."""
        self.decided: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        service = request.url.host
        known = self.things.get(service, {})
        parts = request.url.path.split("/")[3:]
        if not parts:
            after, limit = int(request.url.params["after"]), int(request.url.params["limit"])
            page = [thing for number, thing in sorted(known.items()) if number > after][: min(limit, 3)]
            following = page[-1].get("number", page[-1].get("id")) if page else after
            return httpx.Response(200, json={"items": page, "next": str(following), "more": len(page) == 3})
        thing = known.get(int(parts[0]))
        if thing is None:
            return httpx.Response(404, json={"code": "unknown", "detail": "There is none."})
        if len(parts) == 1:
            return httpx.Response(200, json=thing)
        if thing["decided_by"] is not None:
            return httpx.Response(409, json={"code": "already_decided", "detail": "It is decided."})
        said = body(request) if request.content else None
        self.decided.append((request.url.path, said))
        thing["decided_by"] = "operator"
        thing["decision"] = (said or {}).get("decision")
        thing["state"] = {"replay": "replayed", "close": "closed"}.get(parts[1], "booked")
        if self.lose:
            self.lose -= 1
            raise httpx.ReadError("lost", request=request)
        return httpx.Response(200, json={"id": thing.get("id"), "state": thing["state"]})


def letter(number: int, service: str = "tiering", **more: Any) -> dict[str, Any]:
    return {
        "id": number, "service": service, "reason": "not_json", "detail": "no", "state": "open", "topic": "t",
        "partition": 0, "offset": number, "failed_at": "2026-01-15T01:00:00+00:00", "decided_by": None,
        "decided_at": None, **more,
    }  # fmt: skip


def test_all_pages_of_all_services_are_one_array_and_ids_name_their_service(serve: Any) -> None:
    serve(Box({"tiering": {n: letter(n) for n in range(1, 9)}, "claims": {4: letter(4, "claims")}}))
    found = json.loads(run(dead_letters.register, "dead-letters", "list", "--json").stdout)
    assert [one["id"] for one in found] == [*(f"tiering:{n}" for n in range(1, 9)), "claims:4"]
    assert found[-1]["number"] == 4


def test_a_bare_number_means_tiering_and_others_are_named(serve: Any) -> None:
    box = Box({"tiering": {1: letter(1)}, "claims": {1: letter(1, "claims")}})
    serve(box)
    assert run(dead_letters.register, "dead-letters", "replay", "1").exit_code == 0
    assert run(dead_letters.register, "dead-letters", "close", "claims:1").exit_code == 0
    assert box.things["tiering"][1]["state"] == "replayed"
    assert box.things["claims"][1]["state"] == "closed"


@pytest.mark.parametrize("name", ["x", "tiering", "tiering:", "nobody:1", "1;2", "-1", "1" * 19, "٣"])
def test_what_names_no_dead_letter_is_a_bad_call(serve: Any, name: str) -> None:
    serve(Box({}))
    result = run(dead_letters.register, "dead-letters", "show", "--", name)
    assert getattr(result.exception, "code", None) == 2


def test_a_corrected_value_is_sent_byte_for_byte(serve: Any, tmp_path: Path) -> None:
    box = Box({"tiering": {1: letter(1)}})
    serve(box)
    file = tmp_path / "value"
    file.write_bytes(b"\x00\xff{}")
    assert run(dead_letters.register, "dead-letters", "replay", "1", "--with", str(file)).exit_code == 0
    ((_, said),) = box.decided
    assert base64.b64decode(said["value_base64"]) == b"\x00\xff{}"


def test_some_refused_is_3_and_all_refused_is_1(serve: Any) -> None:
    serve(Box({"tiering": {1: letter(1), 2: letter(2)}}))
    assert run(dead_letters.register, "dead-letters", "replay", "1", "7").exit_code == 3
    assert run(dead_letters.register, "dead-letters", "replay", "1", "7").exit_code == 1
    result = run(dead_letters.register, "dead-letters", "replay", "2", "1", "--json")
    done, refused = json.loads(result.stdout)
    assert (done["state"], refused["refused"]) == ("replayed", "already_decided")


def test_a_decision_whose_answer_was_lost_counts_as_done(serve: Any) -> None:
    box = Box({"tiering": {1: letter(1)}}, lose=1)
    serve(box)
    assert run(dead_letters.register, "dead-letters", "replay", "1").exit_code == 0
    assert len(box.decided) == 1


def test_a_value_can_be_taken_out_and_what_is_shown_moves_no_cursor(serve: Any) -> None:
    value = "\x1b[31mred\x00\u202e".encode() + b"\xff"
    encoded = base64.b64encode(value).decode()
    headers = [{"name": "h\x1b", "value_base64": base64.b64encode(b"\x07").decode()}]
    shown = letter(1, key_base64=None, value_base64=encoded, value_text="?", headers=headers)
    serve(Box({"tiering": {1: shown}}))
    text = run(dead_letters.register, "dead-letters", "show", "1").stdout
    assert all(line.isprintable() for line in text.splitlines())
    assert r"\x1b[31mred\x00\u202e\xff" in text
    assert run(dead_letters.register, "dead-letters", "show", "1", "--value").stdout_bytes == value


LETTERS_OF_MANY = {
    "en": (
        "tiering:1      oversized       t/0@5-9",
        "stands for  4 records: 1 not_json, 3 oversized",
        "cut         the value had 9000000 bytes, SHA-256 0a1b; what is shown is its beginning",
        "cut         the headers had 70000 bytes, SHA-256 2c3d; what is shown is its beginning",
    ),
    "zh": (
        "tiering:1      oversized       t/0@5-9",
        "代表记录数  4 条：1 not_json、3 oversized",
        "已截断      内容 原有 9000000 字节，SHA-256 0a1b；所示为其开头",
        "已截断      头 原有 70000 字节，SHA-256 2c3d；所示为其开头",
    ),
}


@pytest.mark.parametrize("language", LETTERS_OF_MANY)
def test_a_letter_of_many_records_shows_how_many_and_a_cut_one_what_was_cut(
    serve: Any, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", language)
    cut = {"value": {"length": 9_000_000, "sha256": "0a1b"}, "headers": {"length": 70_000, "sha256": "2c3d"}}
    many = letter(
        1, reason="oversized", offset=5, last_offset=9, records=4, reasons={"oversized": 3, "not_json": 1}, cut=cut,
        key_base64=None, value_base64=base64.b64encode(b"{").decode(), headers=[],
    )  # fmt: skip
    serve(Box({"tiering": {1: many}}))
    listed = run(dead_letters.register, "dead-letters", "list").stdout
    shown = run(dead_letters.register, "dead-letters", "show", "1").stdout
    first, *further = LETTERS_OF_MANY[language]
    assert listed.startswith(first)
    assert "t/0@5-9" in shown
    assert [line.strip() for line in shown.splitlines() if line.strip() in further] == further


@pytest.mark.parametrize(
    "more", [{}, {"last_offset": 1, "records": 1, "reasons": {"not_json": 1}, "cut": None}]
)
def test_a_letter_of_one_whole_record_says_no_more_than_its_place(serve: Any, more: dict[str, Any]) -> None:
    one = letter(1, key_base64=None, value_base64=None, headers=[], **more)
    serve(Box({"tiering": {1: one}}))
    shown = run(dead_letters.register, "dead-letters", "show", "1").stdout
    assert "t/0@1\n" in shown
    assert not re.search("stands for|cut", shown)


def held(number: int, reason: str = "conflict") -> dict[str, Any]:
    return {
        "number": number, "state": "held", "reason": reason, "source": "/c", "id": "1", "customer_code": "L1",
        "counter_id": "c", "data": {"kind": "reversal", "line": "express", "amount": "5.00", "business_date": "2026-01-15"},
        "arrived_at": "2026-01-15T01:00:00+00:00", "held_at": "2026-01-15T01:00:00+00:00", "ended_at": None,
        "decided_by": None, "decision": None, "comment": None, "decisions": ["keep", "replace"],
    }  # fmt: skip


@pytest.mark.req("TIE-1")
def test_held_transactions_are_listed_shown_and_decided_once(serve: Any) -> None:
    box = Box({"tiering": {n: held(n) for n in range(1, 6)}})
    serve(box)
    assert len(json.loads(run(suspense.register, "suspense", "list", "--json").stdout)) == 5
    assert "-5.00" in run(suspense.register, "suspense", "list").stdout
    assert "keep (Keep what is booked)" in run(suspense.register, "suspense", "show", "2").stdout
    decide = ("suspense", "decide", "2", "keep", "--comment")
    assert run(suspense.register, *decide, "the first is right").exit_code == 0
    assert box.decided == [("/v1/suspense/2/decision", {"decision": "keep", "comment": "the first is right"})]
    assert run(suspense.register, *decide, "again").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("decide", "2", "keep"),
        ("decide", "2", "keep", "--comment", " "),
        ("decide", "2", "keep", "--comment", "x" * 501),
        ("decide", "2", "perhaps", "--comment", "x"),
        ("decide", "two", "keep", "--comment", "x"),
        ("list", "--reason", "bad_weather"),
        ("show", "٣"),
    ],
)
def test_bad_calls_about_suspense_end_with_2(serve: Any, arguments: tuple[str, ...]) -> None:
    serve(Box({}))
    result = run(suspense.register, "suspense", *arguments)
    assert 2 in (result.exit_code, getattr(result.exception, "code", None))


@given(st.text())
def test_visible_text_is_printable_and_keeps_what_is(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


def test_long_text_says_how_much_is_left_out() -> None:
    assert shortened("abcdef", 4) == "abcd… (2 more characters)"
    assert moment("2026-01-15T01:00:00+00:00") == "2026-01-15 09:00:00"
    assert moment(None) == "-"
