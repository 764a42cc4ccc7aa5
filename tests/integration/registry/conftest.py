"""The registry in this process on a real database, with its own clock and tokens of the development issuer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text

from services.registry.main import build
from services.registry.settings import RegistrySettings
from shared import failpoints
from shared.auth import development
from shared.clock import SandboxClock
from shared.ids import new_id
from shared.service import Platform, Service
from shared.web import create_app
from tests.support.engines import Database, Engines, own_folder, running_engines

START = datetime(2026, 3, 9, 2, tzinfo=UTC)
"""A Monday, ten o'clock in Shanghai."""


@dataclass
class Registry:
    """The service's parts and a client that speaks to it without a network."""

    service: Service
    clock: SandboxClock
    client: httpx.AsyncClient
    secrets: Path
    database: Database

    @property
    def platform(self) -> Platform:
        return self.service.platform

    def headers(self, user: str, **more: str) -> dict[str, str]:
        token = development.mint(self.secrets, user)
        return {"Authorization": f"Bearer {token}", "Accept-Language": "en", **more}

    async def get(self, path: str, user: str = "operator", **params: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers(user), params=params)

    async def post(
        self,
        path: str,
        body: dict[str, Any],
        user: str = "operator",
        *,
        if_match: str | None = "*",
        key: str | None = None,
        language: str = "en",
    ) -> httpx.Response:
        headers = self.headers(user, **{"Accept-Language": language})
        if if_match is not None:
            headers["If-Match"] = if_match
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.client.post(path, json=body, headers=headers)

    async def customer(self, name: str, **more: Any) -> str:
        """Registers a customer; its code."""
        (result,) = await self.results([{"name": name, **more}])
        assert result["result"] == "created", result
        return str(result["customer_code"])

    async def load(
        self,
        rows: list[dict[str, Any]],
        user: str = "operator",
        key: str | None = None,
        import_id: str | None = None,
    ) -> httpx.Response:
        """Imports rows as one chunk; each call is an import of its own unless told otherwise."""
        import_id = import_id or new_id()
        body = {
            "import_id": import_id,
            "file_name": "book.csv",
            "file_sha256": "0" * 64,
            "rows_total": len(rows),
            "rows": [{"row": number, **row} for number, row in enumerate(rows, start=2)],
        }
        headers = self.headers(user, **{"Idempotency-Key": key or new_id()})
        return await self.client.post("/v1/customer-imports", json=body, headers=headers)

    async def results(self, rows: list[dict[str, Any]], user: str = "operator") -> list[dict[str, Any]]:
        answer = await self.load(rows, user)
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.platform.writer.connect() as connection:
            return list((await connection.execute(text(statement), values)).all())

    async def published(self, topic: str, key: str | None = None) -> list[dict[str, Any]]:
        """What the outbox holds for a topic, in order; nothing relays it in these tests."""
        rows = await self.sql("SELECT key, value FROM outbox WHERE topic = :topic ORDER BY id", topic=topic)
        return [orjson.loads(row.value) for row in rows if key is None or row.key == key.encode()]


@pytest.fixture(scope="package")
def engines() -> Iterator[Engines]:
    """Engines of these tests' own: they look at whole topics, to which other tests write as well."""
    with own_folder("registry") as folder, running_engines(folder) as running:
        yield running


@pytest.fixture(scope="module")
async def registry(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Registry]:
    database = await engines.migrated_database("registry")
    folder = tmp_path_factory.mktemp("registry")
    secrets = folder / "secrets"
    development.ensure_issuer(secrets)
    clock = SandboxClock.create(folder / "clock", START)
    settings = RegistrySettings(
        mode="sandbox",
        http_port=1,
        database_url=database.writer,
        reader_database_url=database.reader,
        kafka_bootstrap=engines.bootstrap,
        kafka_user="registry",
        kafka_password=engines.kafka_passwords["registry"],
        jwks_file=secrets / development.JWKS_FILE,
        sandbox_clock=folder / "clock",
    )
    service = build(Platform.of("registry", settings))
    for start in service.on_start:
        await start()
    transport = httpx.ASGITransport(app=create_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry") as client:
        yield Registry(service, clock, client, secrets, database)
    await service.platform.writer.dispose()
    await service.platform.reader.dispose()
    engines.drop_database(database)


@pytest.fixture(autouse=True)
def no_failpoints() -> Iterator[None]:
    yield
    failpoints.arm("")
