"""The registry as a process that is killed after its commits: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from deploy.embedded.kafka import free_ports
from shared.auth import development
from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS, UNITS
from shared.ids import new_id
from tests.support.engines import Engines, own_folder, running_engines
from tests.support.waiting import until

pytestmark = [pytest.mark.engines, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Process:
    """One service process and what starts it again, as the supervisor would."""

    environment: dict[str, str]
    log: Path
    url: str
    deaths: int = 0
    running: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "services.registry"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def revive(self) -> None:
        assert self.running is not None
        if self.running.poll() is not None:
            self.deaths += 1
            self.start()

    def stop(self) -> None:
        if self.running is not None and self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
            try:
                self.running.wait(15)
            except subprocess.TimeoutExpired:
                self.running.kill()
                self.running.wait()


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """Engines of its own: every registry gives the same codes, and here whole topics are read."""
    with own_folder("registry-killed") as folder, running_engines(folder) as running:
        yield running


@pytest.fixture(scope="module")
def process(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("killed")
    database = engines.scratch_database("registry")
    development.ensure_issuer(folder / "secrets")
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        **engines.service_environment("registry", database),
        "KEYPOST_HTTP_PORT": str(port),
        "KEYPOST_JWKS_FILE": str(folder / "secrets" / development.JWKS_FILE),
        "KEYPOST_FAILPOINTS": "http_after_commit=kill@2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.registry", "migrate"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    process = Process(environment, folder / "registry.log", f"http://127.0.0.1:{port}")
    process.start()
    yield process
    process.stop()
    engines.drop_database(database)


async def send(process: Process, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Asks until there is an answer, with the same key, as the command line does."""
    secrets = Path(process.environment["KEYPOST_JWKS_FILE"]).parent
    headers = {"Authorization": f"Bearer {development.mint(secrets, 'operator')}", "Idempotency-Key": key}

    async def ask() -> dict[str, Any] | None:
        process.revive()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                answer = await client.post(f"{process.url}/v1/customer-imports", json=body, headers=headers)
        except httpx.TransportError:
            return None
        if answer.status_code >= 500:
            return None
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    found: dict[str, Any] = await until(ask, seconds=120)
    return found


def read_all(engines: Engines, topic: str) -> list[dict[str, Any]]:
    """Everything that a `read_committed` reader finds in a topic, in order per partition."""
    settings = {
        "group.id": "test-reader",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    }
    consumer = Consumer(engines.librdkafka(**settings))
    found = []
    try:
        for number in sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions):
            consumer.assign([TopicPartition(topic, number, 0)])
            while True:
                record = consumer.poll(30)
                assert record is not None, "the broker does not answer"
                if (error := record.error()) is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    break
                found.append(orjson.loads(record.value()))
    finally:
        consumer.close()
    return found


@pytest.mark.req("REG-4", "PLT-2")
async def test_an_import_that_is_killed_again_and_again_loads_every_row_once(
    engines: Engines, process: Process
) -> None:
    rows = [
        {
            "row": number,
            "name": f"被杀公司{number}",
            "agreement_no": f"K-{number}",
            "agreement_signed_on": "2026-01-05",
        }
        for number in range(2, 82)
    ]
    import_id = new_id()

    async def whole_file(import_id: str) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for start in range(0, len(rows), 20):
            body = {
                "import_id": import_id,
                "file_name": "book.csv",
                "file_sha256": "1" * 64,
                "rows_total": len(rows),
                "rows": rows[start : start + 20],
            }
            results += (await send(process, body, f"{import_id}-{start}"))["results"]
        return results

    first = await whole_file(import_id)
    assert process.deaths >= 3
    assert {each["result"] for each in first} == {"created"}
    codes = [each["customer_code"] for each in first]
    assert len(set(codes)) == len(rows)
    assert sorted(int(code[6:12]) for code in codes) == list(range(1, len(rows) + 1))

    again = await whole_file(new_id())
    assert {each["result"] for each in again} == {"unchanged"}
    assert [each["customer_code"] for each in again] == codes

    async def all_published() -> bool:
        process.revive()
        found = await asyncio.to_thread(read_all, engines, CUSTOMERS)
        return len(found) >= len(rows)

    await until(all_published, seconds=120)
    states = read_all(engines, CUSTOMERS)
    assert sorted(each["customer_code"] for each in states) == sorted(codes)
    assert {each["version"] for each in states} == {1}
    assert all(each["agreements"][0]["state"] == "in_force" for each in states)
    events = read_all(engines, CUSTOMER_EVENTS)
    assert len(events) == 3 * len(rows)
    units = read_all(engines, UNITS)
    assert len(units) == len({each["unit_code"] for each in units}) > 200
