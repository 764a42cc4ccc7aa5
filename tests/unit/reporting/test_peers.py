"""What another service says is passed on as it came; what it does not say is a refusal of ours."""

from __future__ import annotations

import httpx
import pytest

from services.reporting.adapters.peers import OnBehalf, Peers
from shared.problems import Problem

BEHALF = OnBehalf("token", "zh-CN")


async def refused(answer: httpx.Response | httpx.TransportError) -> Problem:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    peers = Peers({"claims": "http://claims.test"}, httpx.MockTransport(handle))
    try:
        with pytest.raises(Problem) as caught:
            await peers.get(BEHALF, "claims", "/v1/plans")
    finally:
        await peers.aclose()
    return caught.value


async def test_a_refusal_of_another_service_keeps_its_status_code_words_and_members() -> None:
    body = {"code": "window_held", "title": "冲突", "detail": "另有机构正在独家开发该客户。{until}", "status": 409,
            "until": "2026-05-10T00:00:00+08:00", "zh": 1, "holder": {"unit": "3205"}}  # fmt: skip
    problem = await refused(httpx.Response(409, json=body))
    assert (problem.status, problem.code) == (409, "window_held")
    assert problem.detail("zh-CN") == problem.detail("en") == body["detail"], (
        "in the words in which it was told"
    )
    assert problem.members == {name: body[name] for name in ("until", "zh", "holder")}


@pytest.mark.parametrize(
    ("answer", "status", "code", "members"),
    [
        (httpx.ConnectError("gone"), 503, "service_away", {"service": "claims"}),
        (httpx.Response(500, text="<html>"), 503, "service_away", {"service": "claims"}),
        (httpx.Response(404, text="<html>"), 502, "service_unreadable", {}),
        (httpx.Response(200, json=[1]), 502, "service_unreadable", {}),
    ],
)
async def test_a_service_that_says_nothing_to_be_read_is_named(
    answer: httpx.Response | httpx.TransportError, status: int, code: str, members: dict[str, str]
) -> None:
    problem = await refused(answer)
    assert (problem.status, problem.code, problem.members) == (status, code, members)
    assert problem.detail("zh-CN").startswith("客户开发管理服务")
