"""A service as a process of its own on the running engines, as the supervisor would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer, TopicPartition

from deploy.embedded.kafka import free_ports
from deploy.embedded.paths import ROOT
from shared.auth.development import JWKS_FILE, ensure_issuer, mint
from shared.contracts.topics import BY_NAME
from tests.support.engines import Database, Engines
from tests.support.waiting import until


class ServiceProcess:
    """`python -m services.<name>` with a database, a port and an issuer."""

    def __init__(self, engines: Engines, database: Database, folder: Path) -> None:
        self.engines = engines
        self.database = database
        self.name = database.service
        self.secrets = folder / "secrets"
        self.log = folder / f"{self.name}.log"
        ensure_issuer(self.secrets)
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KEYPOST_")},
            **engines.service_environment(self.name, database),
            "KEYPOST_HTTP_PORT": str(port),
            "KEYPOST_JWKS_FILE": str(self.secrets / JWKS_FILE),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def migrate(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", f"services.{self.name}", "migrate"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.name}"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        """End it in order; it must leave with 0."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log.read_text()[-3000:]

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    async def wait_ready(self) -> None:
        async def ready() -> bool:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{self.url}/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready, 40, f"{self.name} ready; {self.log}")

    async def at_rest(self, topics: Sequence[str]) -> None:
        """Until the service's stored positions are the ends of these topics."""
        consumer = Consumer(self.engines.librdkafka(**{"group.id": "tests"}))
        ends = {
            (topic, number): consumer.get_watermark_offsets(TopicPartition(topic, number), 10)[1]
            for topic in topics
            for number in range(BY_NAME[topic].partitions)
        }
        consumer.close()

        async def reached() -> bool:
            said = (await self.get("/ops/progress", "service:cli")).json()["positions"]
            return all(
                said.get(topic, {}).get(str(number), -1) >= end for (topic, number), end in ends.items()
            )

        await until(reached, 40, f"{self.name} at the ends of its topics")

    async def get(self, path: str, user: str | None = "operator", **parameters: Any) -> httpx.Response:
        headers = {} if user is None else {"authorization": f"Bearer {mint(self.secrets, user)}"}
        async with httpx.AsyncClient() as client:
            return await client.get(f"{self.url}{path}", params=parameters, headers=headers)

    async def items(self, path: str, user: str = "operator", **parameters: Any) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.get(path, user, **parameters)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            parameters["cursor"] = page["next_cursor"]
