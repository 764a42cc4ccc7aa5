"""Declarations over HTTP: the way from a manager's declaration to a customer with its code."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS, DECLARATIONS
from tests.integration.registry.conftest import Registry

pytestmark = [pytest.mark.engines]

USCC = "91320583MA1XXXX"


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
    named = {name.replace("_", "-"): value for name, value in headers.items()}
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


@pytest.mark.req("REG-1", "REG-2", "REG-4")
async def test_a_managers_declaration_is_pre_reviewed_decided_and_ends_in_a_code(registry: Registry) -> None:
    found = await declared(registry, manager_b="manager-b")
    assert (found["state"], found["waiting_for"], found["declared_by"]) == ("submitted", "pre_review", "manager")
    assert (found["pre_review_unit"], found["deciding_unit"], found["manager_a"]) == ("320583", "3205", "manager")
    found = await acted(registry, "reviewer-kunshan", found, "pre-review", decision="pass")
    assert (found["state"], found["waiting_for"]) == ("pre_reviewed", "centre")
    found = await acted(registry, "centre", found, "decide", decision="approve")
    assert (found["state"], found["waiting_for"], found["decided_by"]) == ("approved", None, "centre")
    code = found["customer_code"]
    assert code.startswith("320500") and len(code) == 13

    customer = (await registry.get(f"/v1/customers/{code}")).json()
    assert (customer["name"], customer["unit_code"], customer["kind"]) == (
        "昆山示例纺织有限公司",
        "320583",
        "potential",
    )
    assert (customer["manager_a"], customer["manager_b"], customer["version"]) == ("manager", "manager-b", 1)
    states = await registry.published(DECLARATIONS, found["id"])
    assert [(each["version"], each["state"]) for each in states] == [
        (1, "submitted"),
        (2, "pre_reviewed"),
        (3, "approved"),
    ]
    assert states[-1]["customer_code"] == code
    (state,) = await registry.published(CUSTOMERS, code)
    assert (state["version"], state["kind"], state["unit_path"]) == (1, "potential", "/CN/32/3205/320583")
    events = await registry.published(CUSTOMER_EVENTS, code)
    assert [(each["event"], each["by"]) for each in events] == [
        ("declared", "manager"),
        ("approved", "centre"),
        ("code_assigned", "centre"),
        ("managers_bound", "centre"),
    ]
    assert {each["declaration_id"] for each in events} == {found["id"]}
    steps = [(each["step"], each["person"]) for each in found["steps"]]
    assert steps == [
        ("declared", "manager"),
        ("submitted", "manager"),
        ("pre_reviewed", "reviewer-kunshan"),
        ("approved", "centre"),
    ]
