"""Claims' handler on a database of its own, claims in this process with a clock of its own, and claims as a process on
the real engines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text

from services.claims.adapters.known import PostgresKnown
from services.claims.adapters.rule_files import load_rules
from services.claims.entrypoints.commands import open_desk
from services.claims.handlers.learn import Learn
from services.claims.main import build
from services.claims.settings import Settings
from shared import failpoints
from shared.auth import development
from shared.clock import SandboxClock
from shared.contracts.envelope import Message
from shared.ids import new_id
from shared.messaging.records import Record
from shared.service import Platform, Service
from shared.web import create_app
from tests.support.engines import Database, Engines, own_folder, running_engines
from tests.support.services import ServiceProcess
from tests.support.states import HandlerBench, Sent, customer, unit

START = datetime(2026, 3, 9, 2, tzinfo=UTC)
"""A Monday, ten o'clock in Shanghai."""
KUNSHAN = "/CN/32/3205/320583"
RIVALS = 50
"""Units of Nanjing R00, R01 … each with a manager `rival-0`, `rival-1` … of its own."""


@pytest.fixture(scope="package")
def engines() -> Iterator[Engines]:
    """Engines of these tests' own: they look at whole topics, to which other tests write as well."""
    with own_folder("claims") as folder, running_engines(folder) as running:
        yield running


def learning() -> Learn:
    """The handler of the registry's states."""
    rules, _ = load_rules()
    return Learn(PostgresKnown, lambda work: open_desk(work, rules))


@pytest.fixture
async def known(engines: Engines) -> AsyncIterator[HandlerBench]:
    """The handler alone, on an empty database."""
    database = await engines.migrated_database("claims")
    bench = HandlerBench(database, learning())
    yield bench
    await bench.engine.dispose()
    engines.drop_database(database)


@pytest.fixture
async def claims(engines: Engines, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    """The whole service, migrated and not yet started."""
    service = ServiceProcess(engines, await engines.migrated_database("claims"), tmp_path)
    try:
        yield service
    finally:
        service.kill()
        engines.drop_database(service.database)


def _add_person(secrets: Path, user: str, role: str, path: str) -> None:
    """Somebody whom the development issuer does not know by itself."""
    file = secrets / development.USERS_FILE
    grant = {"role": role, "unit": path.rpartition("/")[2], "path": path, "lines": []}
    people = json.loads(file.read_text())
    file.write_text(json.dumps([*people, {"user": user, "name": user, "roles": [grant]}]))


@dataclass
class Claims:
    """The service's parts, a client that speaks to it without a network, and a registry that says what it is told to.
    Its timers fire when a test says so."""

    service: Service
    clock: SandboxClock
    client: httpx.AsyncClient
    secrets: Path
    database: Database
    learn: Learn
    offsets: dict[str, int] = field(default_factory=dict)
    customers: int = 0

    @property
    def platform(self) -> Platform:
        return self.service.platform

    def headers(self, user: str, **more: str) -> dict[str, str]:
        token = development.mint(self.secrets, user)
        return {"Authorization": f"Bearer {token}", "Accept-Language": "en", **more}

    async def get(self, path: str, user: str = "operator", **params: Any) -> httpx.Response:
        return await self.client.get(path, headers=self.headers(user), params=params)

    async def post(
        self,
        path: str,
        body: Any = None,
        user: str = "operator",
        *,
        match: str | None = "*",
        key: str | None = None,
        language: str = "en",
    ) -> httpx.Response:
        headers = self.headers(user, **{"Idempotency-Key": key or new_id()})
        headers["Accept-Language"] = language
        if match is not None:
            headers["If-Match"] = match
        return await self.client.post(path, json=body, headers=headers)

    async def ok(self, path: str, body: Any = None, user: str = "operator") -> dict[str, Any]:
        answer = await self.post(path, body, user)
        assert answer.status_code in (200, 201), answer.text
        done: dict[str, Any] = answer.json()
        return done

    async def refused(self, code: str, path: str, body: Any = None, user: str = "operator") -> dict[str, Any]:
        answer = await self.post(path, body, user)
        assert answer.status_code >= 400, answer.text
        problem: dict[str, Any] = answer.json()
        assert problem["code"] == code, problem
        return problem

    async def tell(self, *messages: Message) -> list[Record]:
        """The registry says this, as one batch; the records, so that they can come again."""
        records = []
        for message in messages:
            sent = Sent.of(message)
            offset = self.offsets.get(sent.topic, 0)
            self.offsets[sent.topic] = offset + 1
            records.append(Record(sent.topic, 0, offset, sent.key, sent.value, sent.headers, 0))
        await self.take(records)
        return records

    async def take(self, records: list[Record]) -> None:
        async with self.platform.unit_of_work.begin(consumer="test") as work:
            await self.learn.handle(work, records)

    async def new_customer(self, **changes: Any) -> str:
        """A customer of Suzhou that nobody has a plan for."""
        self.customers += 1
        code = f"C{self.customers:05}"
        await self.tell(customer(code, **changes))
        return code

    def plan(self, code: str | None = None, **changes: Any) -> dict[str, Any]:
        return {
            **({} if code is None else {"customer_code": code}),
            "unit_code": "3205",
            "lines": ["express"],
            "plan_text": "上门洽谈，一个月内试寄。",
            "expected_yearly_revenue": "120000.00",
            "expected_margin": "30000.00",
            "manager_a": "manager",
            **changes,
        }

    async def filed(self, code: str | None, user: str = "manager", **changes: Any) -> dict[str, Any]:
        return await self.ok("/v1/plans", self.plan(code, **changes), user)

    async def opened(self, code: str | None, user: str = "manager", **changes: Any) -> dict[str, Any]:
        """A plan whose window is in force."""
        plan = await self.filed(code, user, **changes)
        return await self.review(plan)

    async def review(self, plan: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return await self.ok(f"/v1/plans/{plan['plan_id']}/review", {"decision": "register", **changes})

    async def read(self, plan: dict[str, Any], user: str = "operator") -> dict[str, Any]:
        answer = await self.get(f"/v1/plans/{plan['plan_id']}", user)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def pass_time(self, **by: float) -> None:
        """Time goes by and no timer fires."""
        self.clock.advance_to(self.clock.now() + timedelta(**by))

    async def fire(self) -> int:
        """Fire everything that is due, in its order, as the service's loop does; how many fired."""
        loop = self.service.timer_loop
        assert loop is not None
        fired = 0
        while True:
            before = await self.sql("SELECT count(*) AS n FROM timers WHERE fired_at IS NOT NULL")
            await loop._fire_due()
            after = await self.sql("SELECT count(*) AS n FROM timers WHERE fired_at IS NOT NULL")
            if after[0].n == before[0].n:
                return fired
            fired += after[0].n - before[0].n

    async def wait(self, **by: float) -> None:
        """Time goes by, from one due timer to the next, as a sandbox's clock is advanced."""
        target = self.clock.now() + timedelta(**by)
        while True:
            await self.fire()
            rows = await self.sql(
                "SELECT min(due_at) AS at FROM timers WHERE fired_at IS NULL AND due_at <= :target",
                target=target,
            )
            if rows[0].at is None:
                break
            self.clock.advance_to(max(rows[0].at, self.clock.now()))
        if target > self.clock.now():
            self.clock.advance_to(target)
        await self.fire()

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.platform.writer.connect() as connection:
            return list((await connection.execute(text(statement), values)).all())

    async def published(self, topic: str, key: str | None = None) -> list[Any]:
        """What the outbox holds for a topic, in order, None for a record without a value; nothing relays it here."""
        rows = await self.sql("SELECT key, value FROM outbox WHERE topic = :topic ORDER BY id", topic=topic)
        return [
            None if row.value is None else orjson.loads(row.value)
            for row in rows
            if key is None or row.key == key.encode()
        ]

    async def happened(self, plan: dict[str, Any]) -> list[tuple[str, str, str]]:
        """What was told of a plan: event, true time, by whom."""
        events = await self.published("claims.events.v1")
        return [
            (one["event"], one["happened_at"], one["by"])
            for one in events
            if one["plan_id"] == plan["plan_id"]
        ]


@pytest.fixture(scope="module")
async def desk(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Claims]:
    """Claims with the units of Suzhou, Kunshan and Nanjing, at START or whenever the module has come to."""
    database = await engines.migrated_database("claims")
    folder = tmp_path_factory.mktemp("claims")
    secrets = folder / "secrets"
    development.ensure_issuer(secrets)
    _add_person(secrets, "centre-zhejiang", "centre", "/CN/33")
    for number in range(RIVALS):
        _add_person(secrets, f"rival-{number}", "manager", f"/CN/32/3201/R{number:02}")
    clock = SandboxClock.create(folder / "clock", START)
    settings = Settings(
        mode="sandbox",
        http_port=1,
        database_url=database.writer,
        reader_database_url=database.reader,
        kafka_bootstrap=engines.bootstrap,
        kafka_user="claims",
        kafka_password=engines.kafka_passwords["claims"],
        jwks_file=secrets / development.JWKS_FILE,
        sandbox_clock=folder / "clock",
    )
    service = build(Platform.of("claims", settings))
    for start in service.on_start:
        await start()
    transport = httpx.ASGITransport(app=create_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://claims") as client:
        running = Claims(service, clock, client, secrets, database, learning())
        await running.tell(
            unit("CN", "/CN", level="national", parent=None, name_zh="全国", name_en="National office"),
            unit("32", "/CN/32", level="province", parent="CN", name_zh="江苏", name_en="Jiangsu"),
            unit(division="320500"),
            unit("3201", "/CN/32/3201", name_zh="南京市大客户中心", name_en="Nanjing", division="320100"),
            unit("320583", KUNSHAN, level="county", parent="3205", name_en="Kunshan", division="320583"),
            unit("33", "/CN/33", level="province", parent="CN", name_zh="浙江", name_en="Zhejiang"),
            *(
                unit(f"R{number:02}", f"/CN/32/3201/R{number:02}", level="county", parent="3201")
                for number in range(RIVALS)
            ),
        )
        yield running
    await service.platform.writer.dispose()
    await service.platform.reader.dispose()
    engines.drop_database(database)


@pytest.fixture(autouse=True)
def no_failpoints() -> Iterator[None]:
    yield
    failpoints.arm("")
