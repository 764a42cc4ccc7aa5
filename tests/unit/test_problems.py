"""Error answers: RFC 9457, in the caller's language, with a stable code, and without what was sent or went
wrong inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from shared import problems
from shared.kernel.refusals import Kind, Refusal
from shared.problems import Problem
from shared.texts import language_of


class _Item(BaseModel):
    name: str
    count: int


class _Order(BaseModel):
    items: list[_Item]


@dataclass(frozen=True, slots=True)
class _Gone(Refusal):
    customer_code: str
    code: ClassVar[str] = "unknown_customer"
    kind: ClassVar[Kind] = "unknown"


def _application() -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.post("/orders")
    async def order(body: _Order, page: int = 1) -> None: ...

    @app.get("/gone")
    async def gone() -> None:
        raise Problem(_Gone("X"))

    @app.get("/away")
    async def away() -> None:
        raise ConnectionRefusedError("postgres at 10.0.0.1")

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("password=secret")

    return app


async def _ask(method: str, path: str, **parts: object) -> httpx.Response:
    transport = httpx.ASGITransport(_application(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh-CN"),
        ("", "zh-CN"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("zh-TW", "zh-CN"),
        ("fr, en;q=0.8, zh;q=0.5", "en"),
        ("en;q=0.5, zh-CN", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("*", "zh-CN"),
        ("fr", "zh-CN"),
        (";;;q=,\x00", "zh-CN"),
    ],
)
def test_the_language_is_the_one_the_caller_prefers(header: str | None, language: str) -> None:
    assert language_of(header) == language


async def test_a_problem_carries_its_code_and_speaks_the_language_of_the_caller() -> None:
    chinese = await _ask("GET", "/gone")
    english = await _ask("GET", "/gone", headers={"Accept-Language": "en"})
    assert chinese.status_code == english.status_code == 404
    assert english.headers["content-type"] == "application/problem+json"
    assert english.headers["content-language"] == "en"
    assert chinese.json()["detail"] == "没有这个客户。"
    assert english.json() == {
        "type": "urn:keypost:problem:unknown_customer",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such customer.",
        "code": "unknown_customer",
        "instance": "/gone",
        "customer_code": "X",
    }


async def test_unknown_addresses_and_methods_are_problems_too() -> None:
    assert (await _ask("GET", "/nowhere")).json()["code"] == "not_found"
    refused = await _ask("DELETE", "/gone")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET"


async def test_broken_fields_are_pointed_at_without_repeating_what_was_sent() -> None:
    answer = await _ask(
        "POST",
        "/orders?page=x",
        json={"items": [{"name": "a", "count": "many-secret"}, {"count": 1}]},
        headers={"Accept-Language": "en"},
    )
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "invalid_fields")
    assert {"parameter": "page", "code": "int_parsing", "detail": "is not an integer"} in body["errors"]
    assert {"pointer": "/items/0/count", "code": "int_parsing", "detail": "is not an integer"} in body[
        "errors"
    ]
    assert {"pointer": "/items/1/name", "code": "missing", "detail": "is missing"} in body["errors"]
    assert "secret" not in answer.text


async def test_a_body_that_is_not_json_is_a_bad_request() -> None:
    answer = await _ask("POST", "/orders", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "not_json")


@pytest.mark.req("PLT-2")
async def test_what_cannot_be_answered_now_may_be_asked_again() -> None:
    answer = await _ask("GET", "/away")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "10.0.0.1" not in answer.text


async def test_a_bug_says_nothing_about_itself() -> None:
    answer = await _ask("GET", "/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
