"""Everyday acts when the service fails or dies around their commit: each takes effect once, and answers the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared import failpoints
from shared.auth import development
from shared.contracts.topics import CUSTOMERS
from shared.failpoints import InjectedFailure
from shared.ids import new_id
from tests.integration.registry.conftest import Registry
from tests.integration.registry.test_killed import Process, process, read_all
from tests.support.engines import Engines
from tests.support.waiting import until

pytestmark = pytest.mark.engines

__all__ = ["process"]

SIGNED = {"agreement_no": "F-1", "signed_on": "2026-03-02"}


@pytest.mark.req("REG-7", "REG-10", "REG-20", "PLT-2")
@pytest.mark.parametrize(
    "place", ["before_commit=error@1", "outbox_after_id=error@1", "http_after_commit=error@1"]
)
async def test_an_act_that_fails_around_its_commit_takes_effect_once(registry: Registry, place: str) -> None:
    survivor, alias = [await registry.customer(f"故障{each}{new_id()}") for each in "甲乙"]
    name = new_id()[:20]

    async def act(path: str, body: dict[str, Any], user: str = "operator") -> dict[str, Any]:
        key = new_id()
        failpoints.arm(place)
        try:
            first = await registry.post(path, body, user, key=key, if_match="*")
            assert first.status_code == 503, first.text
        except InjectedFailure:
            pass
        again = await registry.post(path, body, user, key=key, if_match="*")
        assert again.is_success, again.text
        found: dict[str, Any] = again.json()
        return found

    assert (await act(f"/v1/customers/{alias}/agreements", SIGNED))["version"] == 2
    mapping = await act("/v1/counter-codes", {"code": name, "customer_code": alias})
    assert mapping["version"] == 1
    # A proposal publishes nothing, so that nothing fails where the outbox is written.
    body = {"survivor": survivor, "alias": alias, "reason": "x"}
    proposing = await registry.post("/v1/merges", body, key=new_id())
    number = proposing.json()["id"]
    for user, missing in (("approver-business", 2), ("approver", 1)):
        signing = await registry.post(f"/v1/merges/{number}/sign", {}, user, if_match="*")
        assert signing.json()["signatures_missing"] == missing
    done = await act(f"/v1/merges/{number}/sign", {}, "approver-supervision")
    assert (done["state"], len(done["signatures"])) == ("merged", 3)
    states = {code: await registry.published(CUSTOMERS, code) for code in (survivor, alias)}
    assert [each["version"] for each in states[survivor]] == [1, 2]
    assert [each["version"] for each in states[alias]] == [1, 2, 3, 4]
    goes_on = states[survivor][-1]
    assert [each["agreement_no"] for each in goes_on["agreements"]] == ["F-1"]
    assert ([each["code"] for each in goes_on["counter_codes"]], goes_on["aliases"]) == ([name], [alias])


async def insist(process: Process, path: str, body: dict[str, Any], user: str = "operator") -> dict[str, Any]:
    """Asks with one key until there is an answer, starting the service again whenever it has died."""
    secrets = Path(process.environment["KEYPOST_JWKS_FILE"]).parent
    headers = {
        "Authorization": f"Bearer {development.mint(secrets, user)}",
        "Idempotency-Key": new_id(),
        "If-Match": "*",
    }

    async def ask() -> httpx.Response | None:
        process.revive()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                answer = await client.post(f"{process.url}{path}", json=body, headers=headers)
        except httpx.TransportError:
            return None
        return None if answer.status_code >= 500 else answer

    answer = await until(ask, seconds=120)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.long
@pytest.mark.req("REG-7", "REG-10", "REG-20", "PLT-2")
async def test_acts_in_a_service_that_is_killed_again_and_again_reach_the_topic_once(
    engines: Engines, process: Process
) -> None:
    process.stop()
    process.environment["KEYPOST_FAILPOINTS"] = "outbox_after_id=kill@3,http_after_commit=kill@2"
    process.deaths = 0
    rows = [{"row": n + 2, "name": f"死里逃生{n}", "customer_code": f"88000000000{n:02d}"} for n in range(4)]
    head = {"import_id": new_id(), "file_name": "b.csv", "file_sha256": "2" * 64, "rows_total": len(rows)}
    imported = await insist(process, "/v1/customer-imports", {**head, "rows": rows})
    codes = [each["customer_code"] for each in imported["results"]]
    for n, code in enumerate(codes):
        signed = await insist(
            process, f"/v1/customers/{code}/agreements", {**SIGNED, "agreement_no": f"K-{n}"}
        )
        assert signed["version"] == 2
        await insist(process, "/v1/counter-codes", {"code": f"KILL-{n}", "customer_code": code})
    for survivor, alias in zip(codes[:2], codes[2:], strict=True):
        merge = await insist(process, "/v1/merges", {"survivor": survivor, "alias": alias, "reason": "x"})
        for user in ("approver", "approver-business", "approver-supervision"):
            merge = await insist(process, f"/v1/merges/{merge['id']}/sign", {}, user)
        assert merge["state"] == "merged"
    assert process.deaths >= 4

    async def all_published() -> bool:
        process.revive()
        found = await asyncio.to_thread(read_all, engines, CUSTOMERS)
        return sum(each["customer_code"] in codes for each in found) >= 4 * len(codes)

    await until(all_published, seconds=120)
    states = [each for each in read_all(engines, CUSTOMERS) if each["customer_code"] in codes]
    for code in codes:
        assert [each["version"] for each in states if each["customer_code"] == code] == [1, 2, 3, 4]
    for n, (survivor, alias) in enumerate(zip(codes[:2], codes[2:], strict=True)):
        last = [each for each in states if each["customer_code"] == survivor][-1]
        assert last["aliases"] == [alias]
        assert [each["agreement_no"] for each in last["agreements"]] == [f"K-{n}", f"K-{n + 2}"]
        assert [each["code"] for each in last["counter_codes"]] == [f"KILL-{n}", f"KILL-{n + 2}"]
