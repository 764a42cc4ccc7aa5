"""Claims as a process that is killed after its commits and before its timers, while time runs on: nothing is lost,
nothing happens twice, and everything bears its true time."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from shared.auth.development import mint
from shared.clock import SandboxClock
from shared.contracts.topics import PLANS, WINDOWS
from tests.support.engines import Engines
from tests.support.services import ServiceProcess
from tests.support.states import customer, publish, unit
from tests.support.waiting import until
from verifier import check_windows
from verifier.report import Report
from verifier.settings import Settings
from verifier.sources import open_sources

pytestmark = [pytest.mark.engines, pytest.mark.long]

START = datetime(2026, 1, 15, 2, tzinfo=UTC)
DEADLY = "http_after_commit=kill@2,timer_after_claim=kill@3,relay_before_commit=kill@5"


class Killed:
    """The process with what starts it again, as the supervisor would."""

    def __init__(self, service: ServiceProcess, clock: SandboxClock) -> None:
        self.service = service
        self.clock = clock
        self.deaths = 0
        self.last = ""

    def revive(self) -> None:
        process = self.service.process
        assert process is not None
        if process.poll() is not None:
            self.deaths += 1
            self.service.start()

    async def ask(self, method: str, path: str, user: str, body: Any = None, key: str = "") -> dict[str, Any]:
        """Until there is an answer, with the same key, as the command line asks."""
        headers = {
            "authorization": f"Bearer {mint(self.service.secrets, user)}",
            "if-match": "*",
            **({"idempotency-key": key} if key else {}),
        }

        async def once() -> dict[str, Any] | None:
            self.revive()
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
                    answer = await client.request(
                        method, f"{self.service.url}{path}", json=body, headers=headers
                    )
            except httpx.TransportError as error:
                self.last = repr(error)
                return None
            self.last = f"{answer.status_code} {answer.text[:300]}"
            if answer.status_code >= 500 or answer.json().get("code") in ("unknown_customer", "unknown_unit"):
                return None
            assert answer.status_code < 300, answer.text
            found: dict[str, Any] = answer.json()
            return found

        try:
            found: dict[str, Any] = await until(once, seconds=200)
        except AssertionError as error:
            raise AssertionError(f"{path}: {self.last}") from error
        return found


def last_records(engines: Engines, topic: str, codes: list[str]) -> dict[str, bytes | None]:
    """The last record of each key that a `read_committed` reader finds."""
    settings: dict[str, Any] = {
        "group.id": "tests",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    }
    consumer = Consumer(engines.librdkafka(**settings))
    found: dict[str, bytes | None] = {}
    for number in sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions):
        consumer.assign([TopicPartition(topic, number, 0)])
        while True:
            record = consumer.poll(30)
            assert record is not None, "the broker does not answer"
            if (error := record.error()) is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                break
            found[(record.key() or b"").decode()] = record.value()
            said: dict[str, Any] = dict(record.headers() or ())
            assert said["ce_type"].startswith(b"keypost.claims.")
    consumer.close()
    return {key: value for key, value in found.items() if key in codes}


@pytest.mark.req("PLT-2", "CLM-4", "CLM-9", "CLM-22")
async def test_windows_of_a_service_that_is_killed_again_and_again_open_and_close_once(
    engines: Engines, claims: ServiceProcess, tmp_path: Path
) -> None:
    clock = SandboxClock.create(tmp_path / "clock", START)
    claims.environment |= {
        "KEYPOST_MODE": "sandbox",
        "KEYPOST_SANDBOX_CLOCK": str(tmp_path / "clock"),
        "KEYPOST_FAILPOINTS": DEADLY,
    }
    codes = [f"K{secrets.token_hex(3)}{number}" for number in range(3)]
    root = unit("CN", "/CN", level="national", parent=None)
    publish(engines, [root, unit(), *(customer(code) for code in codes)], "registry")
    claims.start()
    killed = Killed(claims, clock)
    plans = []
    for code in codes:
        body = {
            "customer_code": code, "unit_code": "3205", "lines": ["express"], "plan_text": "x",
            "manager_a": "manager",
        }  # fmt: skip
        plan = await killed.ask("POST", "/v1/plans", "manager", body, f"file {code}")
        path = f"/v1/plans/{plan['plan_id']}/review"
        opened = await killed.ask("POST", path, "operator", {"decision": "register"}, f"review {code}")
        assert (opened["state"], opened["ends_at"]) == ("active", "2026-03-16T00:00:00.000+08:00")
        plans.append(opened)
    assert killed.deaths >= 3
    # Days go by at once; every timer is late, and its service is killed at every third.
    clock.advance_to(START + timedelta(days=200))

    async def all_ended() -> bool:
        found = [await killed.ask("GET", f"/v1/plans/{plan['plan_id']}", "operator") for plan in plans]
        return {one["state"] for one in found} == {"expired"}

    await until(all_ended, seconds=120)
    ended = [await killed.ask("GET", f"/v1/plans/{plan['plan_id']}", "operator") for plan in plans]
    assert {one["closed_at"] for one in ended} == {"2026-03-17T00:00:00.000+08:00"}
    for one in ended:
        steps = [(step["step"], step["at"][:10]) for step in one["steps"]]
        assert steps == [
            ("plan_submitted", "2026-01-15"),
            ("plan_registered", "2026-01-15"),
            ("window_opened", "2026-01-15"),
            *[step for step in steps if step[0] in ("guidance_missing", "window_silent")],
            ("window_ending", "2026-03-02"),
            ("window_ending", "2026-03-09"),
            ("window_ending", "2026-03-15"),
            ("window_settling", "2026-03-16"),
            ("window_expired", "2026-03-16"),
        ]

    async def all_published() -> bool:
        killed.revive()
        found = await asyncio.to_thread(last_records, engines, WINDOWS, codes)
        return len(found) == len(codes) and set(found.values()) == {None}

    await until(all_published, seconds=120)
    states = last_records(engines, PLANS, [plan["plan_id"] for plan in plans])
    assert len(states) == len(plans)
    report = Report()
    settings = Settings(
        {"claims": claims.database.dsn("verifier", "postgresql")},
        engines.librdkafka(),
        timeout_s=30,
    )
    async with open_sources(settings, check_windows.TOPICS) as sources:
        await check_windows.check_windows(sources, report)
    assert report.differences == []
    assert report.compared["windows"] == len(plans)
    assert report.compared["events of windows"] >= 3 * len(plans)
