"""The registry killed before and after the commits of approvals: each declaration gets one code, and no serial is lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.embedded.kafka import free_ports
from shared.auth import development
from shared.contracts.topics import CUSTOMERS, DECLARATIONS
from tests.integration.registry.test_killed import ROOT, Process, read_all
from tests.support.engines import Engines, own_folder, running_engines
from tests.support.people import credit_code
from tests.support.waiting import until

pytestmark = [pytest.mark.engines, pytest.mark.long]

DECLARED = 5


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """Engines of its own: every registry gives the same codes, and here whole topics are read."""
    with own_folder("declarations-killed") as folder, running_engines(folder) as running:
        yield running


@pytest.fixture(scope="module")
def killed(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("declarations-killed")
    database = engines.scratch_database("registry")
    development.ensure_issuer(folder / "secrets")
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        **engines.service_environment("registry", database),
        "KEYPOST_HTTP_PORT": str(port),
        "KEYPOST_JWKS_FILE": str(folder / "secrets" / development.JWKS_FILE),
        # The third answer of every life is lost after its commit, and a random moment's commit never happens.
        "KEYPOST_FAILPOINTS": "http_after_commit=kill@3,before_commit=kill@40",
    }
    command = [sys.executable, "-m", "services.registry", "migrate"]
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    process = Process(environment, folder / "registry.log", f"http://127.0.0.1:{port}")
    process.start()
    yield process
    process.stop()
    engines.drop_database(database)


async def ask(process: Process, user: str, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """Asks until there is an answer, as a client does whose connection broke."""
    secrets = Path(process.environment["KEYPOST_JWKS_FILE"]).parent
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"Authorization": f"Bearer {development.mint(secrets, user)}", **named}

    async def once() -> httpx.Response | None:
        process.revive()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                answer = await client.post(f"{process.url}{path}", json=body, headers=sent)
        except httpx.TransportError:
            return None
        return None if answer.status_code >= 500 else answer

    found: httpx.Response = await until(once, seconds=120)
    return found


@pytest.mark.req("REG-4", "PLT-2")
async def test_approvals_that_are_killed_before_and_after_their_commit_give_one_code_each(
    engines: Engines, killed: Process
) -> None:
    codes: dict[str, str] = {}
    for number in range(DECLARED):
        said = {"name": f"被杀申报{number}", "uscc": credit_code(700 + number), "unit_code": "320583"}
        declared = await ask(killed, "operator", "/v1/declarations", said, idempotency_key=f"d{number}")
        assert declared.status_code == 201, declared.text
        id = declared.json()["id"]
        # Without a key: what was decided before the answer was lost says so, with the code.
        decided = await ask(
            killed, "centre", f"/v1/declarations/{id}/decide", {"decision": "approve"}, if_match="*"
        )
        assert decided.status_code in (200, 409), decided.text
        assert decided.json()["customer_code"]
        codes[id] = decided.json()["customer_code"]
    assert killed.deaths >= 2
    assert sorted(int(code[6:12]) for code in codes.values()) == list(range(1, DECLARED + 1))
    # No more kills: whatever is in the outbox goes out, and is then all that there is.
    killed.stop()
    killed.environment["KEYPOST_FAILPOINTS"] = ""
    killed.start()

    async def all_published() -> bool:
        killed.revive()
        return len(await asyncio.to_thread(read_all, engines, CUSTOMERS)) >= DECLARED

    await until(all_published, seconds=120)
    states = [each for each in read_all(engines, CUSTOMERS) if each["customer_code"] in codes.values()]
    assert sorted(each["customer_code"] for each in states) == sorted(codes.values())
    told: dict[str, list[dict[str, Any]]] = {}
    for state in read_all(engines, DECLARATIONS):
        told.setdefault(state["declaration_id"], []).append(state)
    for id, code in codes.items():
        assert [(each["version"], each["customer_code"]) for each in told[id]] == [(1, None), (2, code)]
