"""Every route × every role and kind of machine × units: what the four applications ask before they touch their stores (PLT-13).

The applications are the real ones, put together by each service's `main.py`; only their engines are stand-ins. A reader
notes for which units a transaction was opened, a writer notes that it was asked for, and neither has any rows. So a route is
seen to refuse who may not, before anything is read, and to read for the units of the caller alone. What is changed is known
only once it is loaded; that such a route asks with the unit in hand is read from the code, and tried on real rows by the
services' own tests.
"""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import httpx
import pytest

from shared.auth.policy import TABLE, Operation, Scope, permit, reach
from shared.auth.principals import PARTIES, Party, Principal, RoleGrant
from shared.contracts.topics import SERVICES
from shared.kernel.refusals import Kind, Refusal
from shared.messaging.unit_of_work import UnitOfWork
from shared.problems import Problem
from shared.scope import paths_setting
from shared.service import Service
from shared.web import create_app
from tests.unit.deploy.test_subscriptions import built
from tests.unit.test_auth import KIND_OF, ROLE_OF

pytestmark = pytest.mark.req("PLT-13")

ROOT: Final = Path(__file__).resolve().parents[2]
SUZHOU: Final = "/CN/32/3205"

Asked = Operation | None
_DEAD_LETTERS: Final[dict[str, Asked]] = {
    "GET /v1/dead-letters": "dead_letters.read",
    "GET /v1/dead-letters/{number}": "dead_letters.read",
    "POST /v1/dead-letters/{number}/close": "dead_letters.replay",
    "POST /v1/dead-letters/{number}/replay": "dead_letters.replay",
}
_CONSUMERS: Final[dict[str, Asked]] = {
    "GET /v1/consumers": "consumers.rewind",
    "POST /v1/consumers/{name}/rewind": "consumers.rewind",
}
ASKED: Final[dict[str, dict[str, Asked]]] = {
    "registry": {
        **_DEAD_LETTERS,
        "GET /ops/progress": "ops.progress",
        "GET /v1/counter-codes": "codes.read",
        "POST /v1/counter-codes": "codes.map",
        "GET /v1/counter-codes/{id}": "codes.read",
        "POST /v1/counter-codes/{id}/end": "codes.map",
        "POST /v1/customer-imports": "customers.import",
        "GET /v1/customer-imports/{import_id}": "customers.import",
        "GET /v1/customer-imports/{import_id}/rows": "customers.import",
        "GET /v1/customers": "customers.read",
        "GET /v1/customers/{code}": "customers.read",
        "POST /v1/customers/{code}/agreements": "agreements.write",
        "POST /v1/customers/{code}/agreements/end": "agreements.write",
        "GET /v1/decision-delegations": "declarations.read",
        "POST /v1/decision-delegations": "declarations.decide",
        # Whoever gave it takes it back; of others it is asked once it is known whose it is.
        "POST /v1/decision-delegations/{id}/revoke": None,
        "GET /v1/declarations": "declarations.read",
        "POST /v1/declarations": "customers.declare",
        "POST /v1/declarations/rehearse": "customers.declare",
        "GET /v1/declarations/{id}": "declarations.read",
        # Who may act on a declaration depends on whose it is and who acts for whom, so it is asked once it is loaded.
        "PATCH /v1/declarations/{id}": None,
        "POST /v1/declarations/{id}/decide": None,
        "GET /v1/declarations/{id}/evidence": "declarations.read",
        "POST /v1/declarations/{id}/pre-review": None,
        "POST /v1/declarations/{id}/submit": None,
        "POST /v1/declarations/{id}/withdraw": None,
        "GET /v1/merges": "merges.read",
        "POST /v1/merges": "merges.propose",
        "GET /v1/merges/{id}": "merges.read",
        # Whoever proposed it may withdraw it this way.
        "POST /v1/merges/{id}/refuse": None,
        "POST /v1/merges/{id}/sign": "merges.sign",
        "GET /v1/staff": "staff.read",
        "GET /v1/time-to-decision": "declarations.read",
        "GET /v1/units": "units.read",
        "GET /v1/units/{code}": "units.read",
    },
    "tiering": {
        **_DEAD_LETTERS,
        **_CONSUMERS,
        "GET /ops/progress": "ops.progress",
        "GET /v1/closes": "tiers.read",
        "POST /v1/closes": "periods.close",
        "GET /v1/closes/{period}": "tiers.read",
        "GET /v1/customers/{code}/tiers": "tiers.read",
        "GET /v1/suspense": "suspense.read",
        "GET /v1/suspense/{number}": "suspense.read",
        "POST /v1/suspense/{number}/decision": "suspense.decide",
        "GET /v1/tier-changes": "tiers.read",
        "POST /v1/transactions": "transactions.publish",
    },
    "claims": {
        **_DEAD_LETTERS,
        **_CONSUMERS,
        "GET /ops/progress": "ops.progress",
        "GET /v1/cases": "cases.read",
        "GET /v1/cases/{case_id}": "cases.read",
        "POST /v1/cases/{case_id}/decide": "cases.decide",
        "GET /v1/customers": "customers.read",
        "GET /v1/plans": "plans.read",
        "POST /v1/plans": "plans.file",
        "GET /v1/plans/{plan_id}": "plans.read",
        "PATCH /v1/plans/{plan_id}": "plans.file",
        "POST /v1/plans/{plan_id}/extend": "plans.review",
        "POST /v1/plans/{plan_id}/judge": "plans.review",
        "POST /v1/plans/{plan_id}/progress": "plans.progress",
        "GET /v1/plans/{plan_id}/ranking": "plans.review",
        "POST /v1/plans/{plan_id}/review": "plans.review",
        "POST /v1/plans/{plan_id}/submit": "plans.file",
        "POST /v1/plans/{plan_id}/withdraw": "plans.file",
        "GET /v1/windows": "windows.read",
        "GET /v1/windows/{customer_code}": "windows.read",
    },
    "reporting": {
        **_DEAD_LETTERS,
        **_CONSUMERS,
        "GET /ops/progress": "ops.progress",
        "GET /v1/alerts": "declarations.read",
        "GET /v1/customer360/{code}": "customers.read",
        "GET /v1/customers": "customers.read",
        "GET /v1/customers/{code}": "customers.read",
        "GET /v1/dashboard": "customers.read",
        "GET /v1/exports/{name}.{form}": "customers.read",
        "GET /v1/freshness": "customers.read",
        "GET /v1/revenue": "customers.read",
        "GET /v1/suspense-summary": "suspense.read",
        "GET /v1/suspense-view": "suspense.read",
        "GET /v1/tier-matrix": "tiers.read",
        "GET /v1/tier-movements": "tiers.read",
        "POST /v1/views/rebuild": "views.rebuild",
        "GET /v1/views/rebuilds": "views.rebuild",
        "GET /v1/views/rebuilds/{number}": "views.rebuild",
    },
}
"""What each route asks, written out by hand: a route that is added or asks otherwise has to be meant twice."""

BODIES: Final[dict[str, dict[str, Any]]] = {
    "POST /v1/plans": {
        "customer_code": "3205000000011",
        "plan_text": "x",
        "unit_code": "3205",
        "manager_a": "x",
    }
}
"""Where the required members alone do not make a sound body."""
QUERIES: Final = {"year": "2026", "scheme": "city-default", "from": "2026-01-01", "to": "2026-12-31"}
PATHS: Final = {"period": "2025", "name": "customers", "form": "csv"}


REACHED: Final = "store_reached"


@dataclass(frozen=True, slots=True)
class StoreReached(Refusal):
    """A stand-in for a store says that it was asked."""

    code: ClassVar[str] = REACHED
    kind: ClassVar[Kind] = "unavailable"

    def sentence(self) -> str:
        return "unavailable"


def reached() -> Problem:
    """What a stand-in answers: the route went on to its store."""
    return Problem(StoreReached())


@dataclass
class StandIn:
    """An engine without rows: `units` are those that a reading transaction was opened for."""

    reader: bool
    touched: bool = False
    units: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[StandIn]:
        self.touched = True
        if not self.reader:
            raise reached()
        yield self

    begin = connect

    async def execute(self, statement: Any, values: Any = None) -> None:
        if isinstance(values, dict) and "paths" in values:
            self.units.append(values["paths"])
            return
        raise reached()

    async def scalar(self, statement: Any, values: Any = None) -> None:
        raise reached()

    async def get_raw_connection(self) -> Any:
        raise reached()


class Anybody:
    """Takes a bearer's word: the token is a party, the principal its holder on Suzhou."""

    def verify(self, token: str) -> Principal:
        party: Party = next(one for one in PARTIES if one == token)
        return holder(party)


def holder(party: Party, path: str = SUZHOU) -> Principal:
    grant = RoleGrant(ROLE_OF[party], path.rpartition("/")[2], path, kind=KIND_OF.get(party))
    return Principal("somebody", "somebody", (grant,))


@dataclass
class App:
    """One service's application with stand-ins."""

    client: httpx.AsyncClient
    description: dict[str, Any]
    reader: StandIn
    writer: StandIn

    async def ask(self, route: str, party: Party | None) -> tuple[int | None, str | None]:
        """Status and problem code."""
        method, _, path = route.partition(" ")
        described = self.description["paths"][path][method.lower()]
        self.reader.touched = self.writer.touched = False
        self.reader.units.clear()
        headers = {} if party is None else {"Authorization": f"Bearer {party}"}
        headers |= {"If-Match": "*"}
        named = {one["name"]: one for one in described.get("parameters", ()) if one["in"] == "path"}
        url = path
        for name, one in named.items():
            number = one["schema"].get("type") == "integer"
            url = url.replace("{" + name + "}", PATHS.get(name, "1" if number else "d-1"))
        query = {
            one["name"]: QUERIES[one["name"]]
            for one in described.get("parameters", ())
            if one["in"] == "query" and one.get("required")
        }
        body = described.get("requestBody")
        content = (
            None if body is None else example(body["content"]["application/json"]["schema"], self.description)
        )
        content = BODIES.get(route, content)
        answer = await self.client.request(method, url, params=query, headers=headers, json=content)
        code = answer.json().get("code") if "json" in answer.headers.get("content-type", "") else None
        return answer.status_code, code


def example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Something that the schema takes, with its required members alone."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], document)
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            return {name: example(schema["properties"][name], document) for name in required}
        case "array":
            return [example(schema["items"], document)] * schema.get("minItems", 0)
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
    if schema.get("format") == "date":
        return "2026-01-05"
    if schema.get("format") == "date-time":
        return "2026-01-05T09:00:00+08:00"
    if "a-f" in schema.get("pattern", "") or "0-9a-f" in schema.get("pattern", ""):
        return "0" * schema.get("minLength", 64)
    return "x" * max(4, schema.get("minLength", 1))


@pytest.fixture(params=SERVICES)
async def app(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, App]]:
    name = str(request.param)
    reader, writer = StandIn(reader=True), StandIn(reader=False)
    service = with_stand_ins(name, reader, writer)
    if name == "registry":
        # It answers nobody before its files are loaded.
        monkeypatch.setattr("services.registry.entrypoints.loading.load_files", _nothing)
        monkeypatch.setattr("services.registry.entrypoints.declaration_timers.follow_organisation", _nothing)
        for start in service.on_start:
            await start()
    application = create_app(service)
    application.state.tokens = Anybody()
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{name}") as client:
        yield name, App(client, application.openapi(), reader, writer)


async def _nothing(*_: object) -> None:
    """Loads no files."""


def with_stand_ins(name: str, reader: StandIn, writer: StandIn) -> Service:
    real = built(name).platform
    unit_of_work = UnitOfWork(writer, real.clock, name)  # type: ignore[arg-type]
    platform = replace(real, reader=reader, writer=writer, unit_of_work=unit_of_work)  # type: ignore[arg-type]
    return built(name, platform)


def routes_of(description: dict[str, Any]) -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, methods in description["paths"].items()
        for method in methods
        if path.startswith(("/v1", "/ops"))
    }


def test_every_route_that_is_published_is_in_the_matrix(app: tuple[str, App]) -> None:
    name, tried = app
    assert routes_of(tried.description) == set(ASKED[name])


async def test_nobody_without_a_token_gets_anywhere(app: tuple[str, App]) -> None:
    name, tried = app
    for route in ASKED[name]:
        assert await tried.ask(route, None) == (401, "unauthenticated"), route
        assert not (tried.reader.touched or tried.writer.touched), route


async def test_a_route_refuses_who_may_not_before_it_touches_its_store(app: tuple[str, App]) -> None:
    name, tried = app
    for route, operation in ASKED[name].items():
        if operation is None:
            continue
        for party in PARTIES:
            refusal = permit(holder(party), operation)
            answer = await tried.ask(route, party)
            if refusal is None:
                assert answer == (503, REACHED), (route, party)
                continue
            code = refusal.code
            assert answer == (403, code), (route, party)
            assert not (tried.reader.touched or tried.writer.touched), (route, party)


async def test_what_is_read_is_read_for_the_units_of_the_caller_alone(app: tuple[str, App]) -> None:
    name, tried = app
    read = 0
    for route, operation in ASKED[name].items():
        if operation is None:
            continue
        for party in PARTIES:
            person = holder(party)
            if permit(person, operation) is not None:
                continue
            await tried.ask(route, party)
            if not tried.reader.touched:
                continue
            assert tried.reader.units, (route, party, "a transaction that says for whom it reads")
            assert tried.reader.units[0] == paths_setting(reach(person, operation).paths), (route, party)
            assert not any(path == "/CN" for units in tried.reader.units for path in units.split(",")), route
            read += 1
    assert read > 0


_OF_SOMETHING: Final = ("permitted", "_may", "allowing", "covering", "reach", "reading")
"""What asks with the unit of a thing that it loads, or reads within units."""


def questions(folder: Path) -> Iterator[tuple[str, bool]]:
    """Every operation that the code asks about, and whether it is asked with what says whose the thing is."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names = [
                one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            operations = [one for one in names if one in TABLE]
            for operation in operations:
                whose = called in _OF_SOMETHING or len(node.args) > 2
                yield operation, whose
            if called == "permit_publishing":
                yield "transactions.publish", True


@pytest.mark.parametrize("name", SERVICES)
def test_what_changes_something_of_a_unit_is_asked_about_with_the_unit(name: str) -> None:
    asked = dict.fromkeys(operation for operation, _ in questions(ROOT / "services" / name))
    named = {operation for operation, whose in questions(ROOT / "services" / name) if whose}
    for route, operation in ASKED[name].items():
        if operation is None or route.startswith("GET") or Scope.WHOLE in TABLE[operation].values():
            continue
        assert operation in asked, route
        assert operation in named, f"{route}: {operation} is asked for any unit at all"
