"""Everyday acts on the command line: what they send, which version they mean, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import agreement, command, declarations, map_code, merge, plan, windows
from cli.instance import CommandError, Refused
from tests.unit.cli.fake_session import body, run, session

MODULES = (agreement, declarations, map_code, merge, plan, windows)
DECLARATION = {
    "id": "d1", "state": "submitted", "version": 3, "waiting_for": "pre_review", "name": "昆山\x1b某某公司", "uscc": None,
    "unit_code": "320583", "declarer": "manager", "expected_lines": ["express"],
    "limit": {"due_at": "2026-01-07T02:00:00+00:00"},
    "steps": [{"step": "submitted", "person": "manager", "at": "2026-01-05T02:00:00+00:00", "comment": "请审"}],
    "similar": [
        {"kind": "customer", "id": "3205000000011", "name": "昆山某某有限公司", "unit_code": "320583",
         "masked": False, "signs": ["name"]}
    ],
}  # fmt: skip
CUSTOMER = {
    "customer_code": "3205000000011", "name": "A", "version": 4,
    "agreements": [{"agreement_no": "XY-1", "state": "in_force", "signed_on": "2026-01-05", "ends_on": None, "lines": []}],
}  # fmt: skip
MAPPING = {
    "id": 7, "code": "K-1", "customer_code": "3205000000011", "valid_from": None, "valid_to": None, "version": 2,
}  # fmt: skip
MERGE = {
    "id": "m1", "state": "proposed", "version": 1, "survivor": "A1", "alias": "B1", "reason": "同一客户",
    "signatures": [],
    "preview": {
        "before": {"survivor": {"customer_code": "A1", "name": "甲", "agreements": [{"agreement_no": "XY-1"}]}},
        "after": {"alias": {"customer_code": "B1", "name": "乙", "status": "merged"}}, "warnings": ["name_differs"],
    },
}  # fmt: skip
REHEARSED = {
    "acceptable": True, "missing": [], "advised": ["uscc"], "errors": [], "blocks": [], "similar": [], "pre_review_unit": None,
    "deciding_unit": {"unit_code": "3205", "name_zh": "苏州市大客户中心", "name_en": "Suzhou"}, "deciders": [],
    "decided_by_at": "2026-01-07T02:00:00+00:00",
    "would_be_code": {"form": "320500nnnnnnc", "label_zh": "项目默认", "label_en": "x"},
}  # fmt: skip
PLAN = {
    "plan_id": "p1", "state": "submitted", "version": 5, "kind": "regular", "unit_code": "3205",
    "customer_code": "3205000000011", "name": "A", "lines": ["express"], "queued": True,
    "steps": [{"step": "plan_submitted", "person": "manager", "at": "2026-01-05T02:00:00+00:00", "evidence": []}],
}  # fmt: skip


class Services:
    """Knows some resources by path, notes every request, and answers acts with the resource."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {
            "/v1/declarations/d1": DECLARATION, "/v1/customers/3205000000011": CUSTOMER, "/v1/counter-codes/7": MAPPING,
            "/v1/merges/m1": MERGE, "/v1/plans/p1": PLAN,
        }  # fmt: skip
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if (special := self.answer(request)) is not None:
            return special
        path = request.url.path
        if request.method == "GET" and path in self.lists:
            start = int(request.url.params.get("cursor", 0))
            page = self.lists[path][start : start + 2]
            more = start + 2 < len(self.lists[path])
            return httpx.Response(200, json={"items": page, "next_cursor": str(start + 2) if more else None})
        for known, resource in self.known.items():
            if path == known or path.startswith(known + "/"):
                return httpx.Response(200, json=resource, headers={"etag": f'"{resource["version"]}"'})
        made = {
            "/v1/plans": PLAN,
            "/v1/declarations": DECLARATION,
            "/v1/merges": MERGE,
            "/v1/counter-codes": MAPPING,
        }
        if request.method == "POST" and path in made:
            return httpx.Response(201, json=made[path])
        if path == "/v1/declarations/rehearse":
            return httpx.Response(200, json=REHEARSED)
        return httpx.Response(404, json={"code": "unknown", "detail": "没有。"})

    @property
    def acts(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.method != "GET"]


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Services:
    fake = Services()

    def opened(_data: Any, user: str, timeout: float) -> Any:
        made = session(fake, tmp_path)
        made.user, made.timeout_s = user, timeout
        return made

    monkeypatch.setattr(command, "open_session", opened)
    return fake


def everyday(*arguments: str) -> Any:
    def register(app: Any) -> None:
        for module in MODULES:
            module.register(app)

    return run(register, *arguments)


@pytest.mark.parametrize(
    ("arguments", "service", "path", "sent"),
    [
        (
            ("declarations", "pre-review", "d1", "pass"),
            "registry", "/v1/declarations/d1/pre-review", {"decision": "pass"},
        ),
        (
            ("declarations", "decide", "d1", "approve", "--manager-a", "manager"),
            "registry", "/v1/declarations/d1/decide", {"decision": "approve", "manager_a": "manager"},
        ),
        (
            ("declarations", "return", "d1", "--comment", "缺执照"),
            "registry", "/v1/declarations/d1/pre-review", {"decision": "return", "comment": "缺执照"},
        ),
        (("declarations", "withdraw", "d1"), "registry", "/v1/declarations/d1/withdraw", {}),
        (("declarations", "submit", "d1", "--comment", "x"), "registry", "/v1/declarations/d1/submit", {"comment": "x"}),
        (
            ("agreement", "end", "3205000000011", "XY-1", "--reason", "moved", "--ends-on", "2026-03-09"),
            "registry", "/v1/customers/3205000000011/agreements/end",
            {"agreement_no": "XY-1", "ends_on": "2026-03-09", "reason": "moved"},
        ),
        (("plan", "review", "p1", "register"), "claims", "/v1/plans/p1/review", {"decision": "register"}),
        (
            ("plan", "progress", "p1", "trial", "--note", "n", "--evidence", "e"),
            "claims", "/v1/plans/p1/progress", {"stage": "trial", "note": "n", "evidence": ["e"]},
        ),
        (
            ("plan", "judge", "p1", "not-significant", "--note", "n"),
            "claims", "/v1/plans/p1/judge", {"significant": False, "note": "n"},
        ),
        (
            ("plan", "extend", "p1", "2026-04-01", "--reason", "r", "--evidence", "a", "--evidence", "b"),
            "claims", "/v1/plans/p1/extend", {"until": "2026-04-01", "reason": "r", "evidence": ["a", "b"]},
        ),
        (("plan", "withdraw", "p1", "--reason", "r"), "claims", "/v1/plans/p1/withdraw", {"reason": "r"}),
        (
            ("agreement", "sign", "3205000000011", "XY-1", "--signed-on", "2026-01-05", "--line", "letters",
             "--unit", "320583"),
            "registry", "/v1/customers/3205000000011/agreements",
            {"agreement_no": "XY-1", "signed_on": "2026-01-05", "lines": ["letters"], "unit_code": "320583"},
        ),
        (("merge", "sign", "m1"), "registry", "/v1/merges/m1/sign", {}),
        (("merge", "refuse", "m1", "--reason", "r"), "registry", "/v1/merges/m1/refuse", {"reason": "r"}),
    ],
)  # fmt: skip
def test_an_act_upon_a_resource_is_for_the_version_just_read(
    services: Services, arguments: tuple[str, ...], service: str, path: str, sent: dict[str, Any]
) -> None:
    result = everyday(*arguments)
    assert result.exit_code == 0, result.exception
    (request,) = services.acts
    assert (request.url.host, request.url.path, body(request)) == (service, path, sent)
    read = services.requests[0]
    assert (read.method, path.startswith(read.url.path)) == ("GET", True)
    version = services.known[read.url.path]["version"]
    assert request.headers["if-match"] == f'"{version}"'
    assert request.headers["idempotency-key"]


@pytest.mark.parametrize(
    ("arguments", "path", "sent"),
    [
        (
            ("declare", "昆山某某公司", "--line", "express", "--line", "express", "--revenue", "120000.00", "--unit", "320583",
             "--contact", "王敏，经理，0512-1", "--draft"),
            "/v1/declarations",
            {"name": "昆山某某公司", "expected_lines": ["express"], "expected_yearly_revenue": "120000.00",
             "contacts": [{"name": "王敏", "position": "经理", "phone": "0512-1"}], "unit_code": "320583", "submit": False},
        ),
        (
            ("declare", "X", "--rehearse"),
            "/v1/declarations/rehearse",
            {"name": "X", "expected_lines": [], "unit_code": "3205", "submit": True},
        ),
        (
            ("map", "K-1", "3205000000011", "--from", "2026-01-01"),
            "/v1/counter-codes",
            {"code": "K-1", "customer_code": "3205000000011", "valid_from": "2026-01-01"},
        ),
        (
            ("map", "K-1", "3205000000011", "--unit", "3205"),
            "/v1/counter-codes",
            {"code": "K-1", "customer_code": "3205000000011", "unit_code": "3205"},
        ),
        (
            ("map", "K-1", "3205000000011", "--counter", "32050001"),
            "/v1/counter-codes",
            {"code": "K-1", "customer_code": "3205000000011", "counter_id": "32050001"},
        ),
        (("merge", "A1", "B1", "--reason", "r"), "/v1/merges", {"survivor": "A1", "alias": "B1", "reason": "r"}),
        (("merge", "propose", "A1", "B1", "--reason", "r"), "/v1/merges", {"survivor": "A1", "alias": "B1", "reason": "r"}),
        (
            ("plan", "file", "3205000000011", "--text", "t", "--line", "express", "--as", "manager", "--queue"),
            "/v1/plans",
            {"customer_code": "3205000000011", "plan_text": "t", "lines": ["express"], "manager_a": "manager",
             "unit_code": "3205", "kind": "regular", "queue": True, "submit": True},
        ),
        (
            ("plan", "file", "--prospect-uscc", "U", "--prospect-name", "N", "--text", "t", "--kind", "festival",
             "--festival", "spring_festival", "--unit", "3201"),
            "/v1/plans",
            {"prospect": {"uscc": "U", "name": "N"}, "plan_text": "t", "lines": [], "manager_a": "operator",
             "unit_code": "3201",
             "kind": "festival", "festival": "spring_festival", "queue": False, "submit": True},
        ),
    ],
)  # fmt: skip
def test_something_new_is_sent_with_what_was_said_and_nothing_else(
    services: Services, arguments: tuple[str, ...], path: str, sent: dict[str, Any]
) -> None:
    result = everyday(*arguments)
    assert result.exit_code == 0, result.exception
    (request,) = services.acts
    assert (request.url.path, body(request)) == (path, sent)


def test_repetitions_of_one_act_carry_one_key_and_the_version_first_read(services: Services) -> None:
    faults = [httpx.Response(503), httpx.Response(504), httpx.Response(502), httpx.ReadError("lost")]

    def faulty(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and faults:
            fault = faults.pop()
            if isinstance(fault, Exception):
                raise fault
            return fault
        return None

    services.answer = faulty
    assert everyday("declarations", "decide", "d1", "approve").exit_code == 0
    assert len(services.acts) == 5
    assert len({request.headers["idempotency-key"] for request in services.acts}) == 1
    assert {request.headers["if-match"] for request in services.acts} == {'"3"'}


def test_a_version_that_was_seen_is_the_one_that_counts(services: Services) -> None:
    assert everyday("declarations", "decide", "d1", "approve", "--version-seen", "2").exit_code == 0
    assert [request.headers.get("if-match") for request in services.requests] == ['"2"']


def test_a_refusal_is_told_in_the_services_words_and_ends_with_1(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", "zh")
    problem = {"code": "window_held", "detail": "南京市大客户中心独家开发至 2026-03-06。", "status": 409}
    services.answer = lambda request: httpx.Response(409, json=problem) if request.method == "POST" else None
    result = everyday("plan", "review", "p1", "register")
    assert isinstance(result.exception, Refused)
    assert (result.exception.code, str(result.exception)) == (1, f"{problem['detail']} (window_held)")
    assert {request.headers["accept-language"] for request in services.requests} == {"zh-CN"}


def test_broken_fields_are_named(services: Services) -> None:
    errors = [
        {
            "pointer": "/expected_lines/0",
            "code": "literal_error",
            "detail": "is not one of the values allowed",
        }
    ]
    services.answer = lambda _: httpx.Response(
        422, json={"code": "invalid_fields", "detail": "No.", "errors": errors}
    )
    text = str(everyday("declare", "X").exception)
    assert text.splitlines() == [
        "No. (invalid_fields)",
        "  expected_lines/0 is not one of the values allowed",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("declare", " "),
        ("declare", "X", "--revenue", "-5"),
        ("declare", "X", "--line", "bread"),
        ("declare", "X", "--contact", ", manager"),
        ("declarations", "decide", "d1", "reject"),
        ("declarations", "decide", "d1", "perhaps"),
        ("declarations", "pre-review", "d1", "return", "--comment", " "),
        ("declarations", "return", "d1"),
        ("declarations", "edit", "d1"),
        ("agreement", "sign", "", "XY-1"),
        ("agreement", "sign", "C", "XY-1", "--signed-on", "yesterday"),
        ("agreement", "end", "C", "XY-1", "--reason", ""),
        ("map", "K-1", "C", "--to", "2026-02-30"),
        ("map", "K-1", "--end", "2026-02-01"),
        ("map", "K-1", "C", "--unit", "3205", "--counter", "32050001"),
        ("map", "K-1", "--end", "2026-02-01", "--to", "2026-02-01", "--reason", "r"),
        ("merge", "A", "B"),
        ("merge", "A", "--reason", "r"),
        ("plan", "file", "--text", "t"),
        ("plan", "file", "C", "--prospect-uscc", "U", "--text", "t"),
        ("plan", "file", "C"),
        ("plan", "file", "C", "--text", "t", "--text-file", "/dev/null"),
        ("plan", "file", "C", "--text-file", "/no/such/file"),
        ("plan", "review", "p1", "refuse"),
        ("plan", "progress", "p1", "sleep", "--note", "n"),
        ("plan", "extend", "p1", "later", "--reason", "r", "--evidence", "e"),
        ("plan", "extend", "p1", "2026-04-01", "--reason", "r"),
        ("plan", "file", "C", "--text", "t", "--kind", "festival"),
        ("plan", "file", "C", "--text", "t", "--festival", "new_year"),
        ("windows", "--state", "open"),
    ],
)
def test_a_bad_call_ends_with_2_and_asks_nobody(services: Services, arguments: tuple[str, ...]) -> None:
    result = everyday(*arguments)
    code = result.exception.code if isinstance(result.exception, CommandError) else result.exit_code
    assert (code, services.requests) == (2, [])


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (
            ("declarations", "list", "--state", "submitted", "--waiting-for", "centre", "--mine"),
            "/v1/declarations",
        ),
        (("plan", "list", "--state", "active"), "/v1/plans"),
        (("merge", "list"), "/v1/merges"),
        (("windows", "--state", "active"), "/v1/windows"),
        (("map", "K-1"), "/v1/counter-codes"),
    ],
)
def test_a_list_is_all_pages_as_one_array(services: Services, arguments: tuple[str, ...], path: str) -> None:
    services.lists[path] = [{"id": number} for number in range(5)]
    result = everyday(*arguments, "--json")
    assert json.loads(result.stdout) == services.lists[path]
    assert len(services.requests) == 3
    first = dict(services.requests[0].url.params)
    assert all(first.items() <= dict(request.url.params).items() for request in services.requests)


def test_a_code_whose_mapping_ends_keeps_it_up_to_that_day(services: Services) -> None:
    services.lists["/v1/counter-codes"] = [
        {**MAPPING, "id": 6, "valid_to": "2025-12-31"},
        {**MAPPING, "valid_from": "2026-01-01"},
    ]
    assert everyday("map", "K-1", "--end", "2026-03-09", "--reason", "left").exit_code == 0
    (request,) = services.acts
    assert (request.url.path, body(request)) == (
        "/v1/counter-codes/7/end",
        {"valid_to": "2026-03-09", "reason": "left"},
    )
    assert request.headers["if-match"] == '"2"'
    again = everyday("map", "K-1", "--end", "2025-06-01", "--reason", "left", "3205")
    assert getattr(again.exception, "code", None) == 1


def test_of_a_code_that_is_mapped_for_several_units_the_one_that_ends_is_named(services: Services) -> None:
    services.lists["/v1/counter-codes"] = [
        {**MAPPING, "unit_code": "3205"},
        {**MAPPING, "id": 8, "unit_code": "3201"},
    ]
    refused = everyday("map", "K-1", "--end", "2026-03-09", "--reason", "left")
    assert getattr(refused.exception, "code", None) == 1
    assert services.acts == []
    everyday("map", "K-1", "--end", "2026-03-09", "--reason", "left", "--unit", "3201")
    assert dict(services.requests[-1].url.params)["unit"] == "3201"


def test_a_change_whose_answer_was_lost_counts_as_done_and_another_persons_does_not(
    services: Services,
) -> None:
    def conflict(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PATCH":
            return httpx.Response(412, json={"code": "changed_meanwhile", "detail": "Changed."})
        return None

    services.answer = conflict
    services.known["/v1/declarations/d1"] = {**DECLARATION, "name": "new"}
    assert everyday("declarations", "edit", "d1", "--name", "new").exit_code == 0
    result = everyday("declarations", "edit", "d1", "--name", "newer")
    assert isinstance(result.exception, Refused)


def test_a_text_shows_steps_limits_and_candidates_and_moves_no_cursor(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = everyday("declarations", "show", "d1").stdout
    assert all(line.isprintable() for line in text.splitlines())
    assert all(
        part in text for part in ("waiting for pre-review", "2026-01-07 10:00:00", "请审", "昆山某某有限公司")
    )
    monkeypatch.setenv("KEYPOST_LANGUAGE", "zh")
    text = everyday("declarations", "show", "d1").stdout
    assert all(part in text for part in ("已提交，待预审单位", "办理时限", "速递", "1 个客户名称相近"))
    assert "，排队等候" in everyday("plan", "show", "p1").stdout
    assert "2026-01-05 10:00:00  项目报备  manager" in everyday("plan", "show", "p1").stdout
    text = everyday("merge", "show", "m1").stdout
    assert all(
        part in text for part in ("B1 → A1", "合并前  A1 甲，协议 XY-1", "合并后  B1 乙，已合并", "名称不同")
    )
    text = everyday("declare", "X", "--rehearse").stdout
    assert all(part in text for part in ("可以受理", "建议补充", "苏州市大客户中心 (3205)", "320500nnnnnnc"))
    assert "一直 – 长期" in everyday("map", "K-1", "3205000000011").stdout
    assert "有效" in everyday("agreement", "sign", "3205000000011", "XY-1").stdout


def test_without_a_unit_one_acts_for_the_unit_of_ones_own_role(services: Services) -> None:
    assert everyday("declare", "X").exit_code == 0
    assert body(services.acts[-1])["unit_code"] == "3205"
