"""The skeleton as a process: it starts, answers, does its work, and ends in order."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from deploy.embedded.kafka import free_ports
from shared import migrating
from shared.auth.development import ensure_issuer, mint
from shared.db import create_engine
from tests.support.engines import Engines
from tests.support.messaging import Bench
from tests.support.waiting import until

pytestmark = pytest.mark.engines
ROOT = Path(__file__).resolve().parents[3]


def started(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.service_process"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )


@asynccontextmanager
async def running(
    bench: Bench, log: Path, source: str, target: str
) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        **bench.engines.service_environment(bench.service, bench.database),
        "KEYPOST_HTTP_PORT": str(port),
        "KEYPOST_JWKS_FILE": str(log.parent / "secrets" / "jwks.json"),
        "IN": source,
        "OUT": target,
    }
    process = started(environment, log)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    return (await client.get("/health/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready, 30)
            yield process, client
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@pytest.mark.req("PLT-2", "PLT-3")
async def test_a_service_does_its_work_ends_on_sigterm_and_goes_on_where_it_was(
    bench: Bench, tmp_path: Path
) -> None:
    source, target = bench.engines.scratch_topic(), bench.engines.scratch_topic()
    log = tmp_path / "service.log"
    ensure_issuer(tmp_path / "secrets")
    bearer = {"authorization": f"Bearer {mint(tmp_path / 'secrets', 'service:cli')}"}

    async def out(count: int) -> list[Any]:
        async def enough() -> list[Any]:
            found = await asyncio.to_thread(bench.read, target)
            return found if len(found) >= count else []

        found: list[Any] = await until(enough, 30)
        return found

    async with running(bench, log, source, target) as (process, client):
        assert (await client.get("/health/live")).json() == {"status": "live"}
        assert (await client.get("/v1/hello")).json() == {"hello": "world"}
        assert "keypost_batch_records" in (await client.get("/metrics")).text
        assert "/v1/hello" in (await client.get("/docs")).text
        assert "https://" not in (await client.get("/docs")).text
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "Copy"
        assert (await client.get("/ops/progress")).status_code == 401
        bench.produce(source, [b"a"] * 100)
        assert len(await out(200)) == 200

        async def idle() -> bool:
            progress = (await client.get("/ops/progress", headers=bearer)).json()
            read = sum(progress["positions"][source].values())
            return bool(read == 100 and progress["outbox_pending"] == progress["timers_due"] == 0)

        await until(idle)
        process.send_signal(signal.SIGTERM)
        await until(lambda: process.poll() is not None, 15)
        assert process.returncode == 0, log.read_text()
    bench.produce(source, [b"b"] * 50)
    async with running(bench, log, source, target) as (process, _):
        found = await out(300)
        process.send_signal(signal.SIGTERM)
        await until(lambda: process.poll() is not None, 15)
    assert len(found) == 300
    assert sorted(m.value() for m in found) == [b"a"] * 100 + [b"b"] * 50 + [b"later"] * 150
    assert "password" not in log.read_text().lower()


async def test_migrations_of_two_processes_at_once_run_once(engines: Engines, tmp_path: Path) -> None:
    database = engines.scratch_database("claims")
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text("from shared.migrating import run_environment\nrun_environment()\n")
    (tmp_path / "versions" / "0001_first.py").write_text(
        "from alembic import op\nfrom shared.messaging.tables import create_messaging_tables\n"
        "revision = '0001'\ndown_revision = None\n"
        "def upgrade():\n    create_messaging_tables(op, 'claims')\n"
    )
    await asyncio.gather(*(migrating.upgrade("claims", database.owner, scripts=tmp_path) for _ in range(2)))
    engine = create_engine(database.writer, "tests")
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one() == 0
    await engine.dispose()
    engines.drop_database(database)
