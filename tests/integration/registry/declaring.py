"""How tests declare customers over HTTP and act on declarations, each for the version that was read."""

from __future__ import annotations

from typing import Any

import httpx

from tests.integration.registry.conftest import Registry


def body(**more: Any) -> dict[str, Any]:
    return {
        "name": "昆山示例纺织有限公司",
        "unit_code": "320583",
        "expected_lines": ["express"],
        "expected_yearly_revenue": "120000.00",
        **more,
    }


async def post(
    registry: Registry, path: str, user: str, content: dict[str, Any], **headers: str
) -> httpx.Response:
    named = {"if-match": "*"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await registry.client.post(path, json=content, headers=registry.headers(user, **named))


async def declared(registry: Registry, user: str = "manager", **more: Any) -> dict[str, Any]:
    answer = await post(registry, "/v1/declarations", user, body(**more))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == f'"{found["version"]}"'
    return found


async def act(
    registry: Registry, user: str, found: dict[str, Any], what: str, **content: Any
) -> httpx.Response:
    path = f"/v1/declarations/{found['id']}/{what}"
    return await post(registry, path, user, content, if_match=f'"{found["version"]}"')


async def acted(
    registry: Registry, user: str, found: dict[str, Any], what: str, **content: Any
) -> dict[str, Any]:
    answer = await act(registry, user, found, what, **content)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
