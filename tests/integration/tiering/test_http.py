"""Tiering over HTTP: publishing, asking why, closing, deciding, replaying, and who may."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.tiering.main import build
from services.tiering.settings import TieringSettings
from shared.auth import development
from shared.clock import SHANGHAI, SandboxClock
from shared.db import create_engine
from shared.messaging.records import decode_headers
from shared.service import Platform
from shared.web import create_app
from tests.support.engines import Engines
from tests.support.ledger_bench import LedgerBench
from tests.support.model import Agreement, Customer

pytestmark = pytest.mark.engines

START = datetime(2026, 3, 10, 9, tzinfo=SHANGHAI)
CODE = "3205000000011"


@dataclass
class Tiering:
    """The application without its consumers; records are handed to the same handlers by the bench."""

    client: httpx.AsyncClient
    bench: LedgerBench
    secrets: Path

    async def get(self, path: str, user: str = "operator", language: str = "en") -> httpx.Response:
        return await self.client.get(path, headers=self.headers(user, language))

    async def post(
        self, path: str, body: Any, user: str = "operator", key: str | None = None
    ) -> httpx.Response:
        headers = self.headers(user, "en") | ({"Idempotency-Key": key} if key else {})
        # ASCII, so that half a surrogate pair goes out as the escape that a counter would send.
        return await self.client.post(
            path, content=json.dumps(body), headers={**headers, "Content-Type": "application/json"}
        )

    def headers(self, user: str, language: str = "en") -> dict[str, str]:
        token = development.mint(self.secrets, user)
        return {"Authorization": f"Bearer {token}", "Accept-Language": language}

    async def sell(
        self, id: str, amount: str, day: str = "2026-03-09", code: str = CODE, **more: Any
    ) -> None:
        event = sale(id, amount, day, code, **more)
        await self.bench.publish(
            [(code.encode(), orjson.dumps(event), [("content-type", b"application/cloudevents+json")])]
        )


def sale(id: str, amount: Any, day: str = "2026-03-09", code: str = CODE, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id,
        "source": "/counters/320500",
        "type": "keypost.counter.transaction.v1",
        "data": {
            "customer_code": code,
            "counter_id": "32050001",
            "line": "express",
            "kind": "sale",
            "amount": amount,
            "occurred_at": f"{day}T09:31:07+08:00",
            **more,
        },
    }


@pytest.fixture
async def tiering(engines: Engines, tmp_path: Path) -> AsyncIterator[Tiering]:
    database = await engines.migrated_database("tiering")
    secrets = tmp_path / "secrets"
    development.ensure_issuer(secrets)
    SandboxClock.create(tmp_path / "clock", START)
    settings = TieringSettings(
        mode="sandbox",
        http_port=1,
        database_url=database.writer,
        reader_database_url=database.reader,
        kafka_bootstrap=engines.bootstrap,
        kafka_user="tiering",
        kafka_password=engines.kafka_passwords["tiering"],
        jwks_file=secrets / development.JWKS_FILE,
        sandbox_clock=tmp_path / "clock",
    )
    service = build(Platform.of("tiering", settings))
    engine = create_engine(database.writer, "bench")
    bench = LedgerBench(engine, START)
    await bench.tell([Customer(CODE, "3205", None, (Agreement("A-1", START.date().replace(month=1)),))])
    transport = httpx.ASGITransport(app=create_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://tiering") as client:
        yield Tiering(client, bench, secrets)
    for one in (engine, service.platform.writer, service.platform.reader):
        await one.dispose()
    engines.drop_database(database)


@pytest.mark.req("TIE-15", "TIE-20")
async def test_a_tier_is_told_with_its_reason_and_the_bookings_behind_it(tiering: Tiering) -> None:
    await tiering.sell("t-1", "15000")
    await tiering.sell("t-2", "40000.50", day="2026-03-10")
    answer = (await tiering.get(f"/v1/customers/{CODE}/tiers?scheme=city-default&explain=true")).json()
    (tier,) = answer["tiers"]
    assert (tier["tier"], tier["since"], tier["reason"], tier["version"]) == (
        "silver", "2026-03-10", "threshold_reached", 2,
    )  # fmt: skip
    assert tier["key_account"] is True
    assert tier["totals"] == {"2026": "55000.50"}
    assert (tier["next_level"]["tier"], tier["next_level"]["missing"]) == ("gold", "144999.50")
    assert [one["id"] for one in tier["evidence"]["latest_bookings"]] == ["t-1", "t-2"]
    assert [one["to_tier"] for one in tier["evidence"]["changes"]] == ["ordinary", "silver"]
    assert "Silver since 2026-03-10" in tier["explanation"][0]
    chinese = (await tiering.get(f"/v1/customers/{CODE}/tiers?scheme=city-default", language="zh-CN")).json()
    assert "自2026-03-10起为白银客户" in chinese["tiers"][0]["explanation"][0]
    past = (await tiering.get(f"/v1/customers/{CODE}/tiers?scheme=city-default&as_of=2026-03-09")).json()
    assert (past["tiers"][0]["tier"], past["tiers"][0]["since"]) == ("ordinary", "2026-03-09")


@pytest.mark.req("TIE-14", "TIE-15")
async def test_a_merged_code_is_answered_for_its_survivor_with_the_transactions_of_both(
    tiering: Tiering,
) -> None:
    alias = Customer("9000000000001", "3201", 1, (Agreement("B", START.date().replace(month=1)),))
    agreement = Agreement("A-1", START.date().replace(month=1))
    await tiering.bench.tell([alias])
    await tiering.sell("t-1", "15000", code=alias.code)
    await tiering.sell("t-2", "35000")
    await tiering.bench.tell(
        [
            replace(alias, status="merged", merged_into=CODE, agreements=()),
            Customer(CODE, "3205", None, (agreement, *alias.agreements), aliases=(alias.code,)),
        ]
    )
    await tiering.sell("t-3", "5", code=alias.code)
    path = f"/v1/customers/{alias.code}/tiers?scheme=city-default&explain=true"
    # The centre of the survivor's unit alone sees all of it; the alias was another unit's.
    answer = (await tiering.get(path, user="centre")).json()
    assert (answer["asked_code"], answer["customer_code"], answer["aliases"]) == (
        alias.code,
        CODE,
        [alias.code],
    )
    assert answer["notice"] == (
        f"{alias.code} was merged on 2026-03-10; this is the answer for {CODE}, which it is part of."
    )
    chinese = (await tiering.get(path, language="zh-CN")).json()
    assert chinese["notice"] == f"{alias.code}已于2026-03-10合并，以下为合并后客户{CODE}的情况。"
    (tier,) = answer["tiers"]
    assert (tier["tier"], tier["reason"], tier["totals"]) == ("silver", "merged", {"2026": "50005.00"})
    assert "together" in tier["explanation"][0] and "合并" in chinese["tiers"][0]["explanation"][0]
    assert [
        (one["id"], one["customer_code"], one["booked_for"]) for one in tier["evidence"]["latest_bookings"]
    ] == [("t-1", alias.code, alias.code), ("t-2", CODE, CODE), ("t-3", alias.code, CODE)]
    own = (await tiering.get(f"/v1/customers/{CODE}/tiers")).json()
    assert (own["notice"], own["aliases"]) == (None, [alias.code])


async def test_an_unknown_customer_and_scheme_are_told_as_problems(tiering: Tiering) -> None:
    unknown = await tiering.get("/v1/customers/nobody/tiers")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_customer")
    scheme = await tiering.get(f"/v1/customers/{CODE}/tiers?scheme=none-such")
    assert (scheme.status_code, scheme.json()["code"]) == (404, "unknown_scheme")


@pytest.mark.req("PLT-13", "REP-19")
async def test_nobody_sees_customers_of_units_they_do_not_cover(tiering: Tiering) -> None:
    await tiering.sell("t-1", "15000")
    assert (await tiering.client.get(f"/v1/customers/{CODE}/tiers")).status_code == 401
    own = await tiering.get(f"/v1/customers/{CODE}/tiers", user="centre")
    assert own.status_code == 200
    assert (await tiering.get("/v1/tier-changes", user="centre")).json()["items"]
    await tiering.bench.tell(
        [Customer("9000000000001", "3201", 1, (Agreement("B", START.date().replace(month=1)),))]
    )
    await tiering.sell("t-9", "15000", code="9000000000001")
    hidden = await tiering.get("/v1/customers/9000000000001/tiers", user="centre")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "unknown_customer")
    codes = {
        one["data"]["customer_code"]
        for one in (await tiering.get("/v1/tier-changes", user="centre")).json()["items"]
    }
    assert codes == {CODE}


@pytest.mark.req("TIE-21")
async def test_the_feed_gives_every_change_once_in_order_from_any_cursor(tiering: Tiering) -> None:
    for number, amount in enumerate(("10000", "40000", "150000", "800000")):
        await tiering.sell(f"t-{number}", amount)
    first = (await tiering.get("/v1/tier-changes?limit=2&scheme=city-default")).json()
    rest = (await tiering.get(f"/v1/tier-changes?scheme=city-default&after={first['next']}")).json()
    told = first["items"] + rest["items"]
    assert [one["data"]["version"] for one in told] == [1, 2, 3, 4]
    assert told[0]["id"] == f"{CODE}|city-default|1"
    assert first["more"] is True and rest["more"] is False
    assert (await tiering.get("/v1/tier-changes?after=x")).json()["code"] == "bad_cursor"


@pytest.mark.req("TIE-1")
async def test_transactions_over_http_get_an_answer_each_and_go_to_the_topic(tiering: Tiering) -> None:
    answer = await tiering.post(
        "/v1/transactions", [sale("h-1", "12.50"), sale("h-2", 12.5), {"no": "event"}]
    )
    said = answer.json()
    assert (said["accepted"], said["rejected"]) == (1, 2)
    assert [(one["status"], one["reason"]) for one in said["items"]] == [
        ("accepted", None), ("rejected", "bad_field"), ("rejected", "not_cloudevent"),
    ]  # fmt: skip
    rows = await tiering.bench.rows("SELECT key FROM outbox WHERE topic = 'counter.transactions.v1'")
    assert [row.key for row in rows] == [CODE.encode()]
    assert (await tiering.post("/v1/transactions", [sale("h-1", "1")] * 1001)).status_code == 422
    assert (await tiering.post("/v1/transactions", [], user="auditor")).status_code == 403


@pytest.mark.req("TIE-1")
async def test_what_http_accepts_is_booked_or_held_and_what_it_rejects_costs_nobody_else(
    tiering: Tiering,
) -> None:
    """What the handler gets is what was published: nothing that was accepted becomes a dead letter."""
    days = {"first": "1901-01-01", "last": "2199-12-31", "before": "1900-12-31", "slip": "0206-01-05"}
    events = [sale(name, "1.00", business_date=day) for name, day in days.items()]
    events += [
        sale("old", "1.00", day="1901-01-01"),
        sale("older", "1.00", occurred_at="1900-12-31T16:00:00Z"),
        sale("half", "1.00", product="\ud872"),
        sale("summer", "1.00", occurred_at="1988-07-01T23:30:00+08:00"),
    ]
    events[-1]["data"].pop("business_date", None)
    said = (await tiering.post("/v1/transactions", events)).json()
    assert [(one["status"], one["reason"], one["detail"]) for one in said["items"] if one["reason"]] == [
        ("rejected", "bad_field", "business_date lies outside 1901-01-01 to 2199-12-31"),
        ("rejected", "bad_field", "business_date lies outside 1901-01-01 to 2199-12-31"),
        ("rejected", "bad_encoding", "product contains half of a surrogate pair"),
    ]
    published = await tiering.bench.rows(
        "SELECT key, value, headers FROM outbox WHERE topic = 'counter.transactions.v1' ORDER BY id"
    )
    await tiering.bench.publish([(one.key, one.value, decode_headers(one.headers)) for one in published])
    assert await tiering.bench.dead_letters() == {}
    booked = {id for _, id in await tiering.bench.booked()}
    held = {(id, reason) for _, id, reason in await tiering.bench.held()}
    assert booked == {"first", "old", "older", "summer"}
    assert held == {("last", "future_date")}


@pytest.mark.req("TIE-9", "TIE-3")
async def test_a_mistyped_year_is_given_up_and_never_stands_in_the_way_of_a_close(tiering: Tiering) -> None:
    await tiering.sell("year-1", "5.00", business_date="0206-01-05")
    assert await tiering.bench.dead_letters() == {"bad_field": 1}
    await tiering.sell("first-day", "5.00", business_date="1901-01-01")
    await tiering.sell("good", "15000", day="2025-03-01")
    early = (await tiering.post("/v1/closes", {"period": "2025"})).json()
    assert (early["code"], early["year"]) == ("earlier_year_open", 1901)
    for year in ("1901", "2025"):
        assert (await tiering.post("/v1/closes", {"period": year})).status_code == 202
        await tiering.bench.finish_closes()
        assert (await tiering.get(f"/v1/closes/{year}")).json()["state"] == "done"
    assert await tiering.bench.tell_revenue() > 0
    assert set(await tiering.bench.revenue_states()) == {f"{CODE}|1901", f"{CODE}|2025"}


@pytest.mark.req("PLT-14")
async def test_simple_input_through_every_route_is_never_our_fault(tiering: Tiering) -> None:
    """NUL and an integer beyond 64 bits in each parameter of each route, one at a time: 4xx that names the parameter."""
    description = (await tiering.client.get("/openapi.json")).json()
    values = {"string": "x", "integer": "1", "boolean": "true"}
    tried = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parameters = [one for one in operation.get("parameters", ()) if one["in"] in ("path", "query")]
            for bad in parameters:
                kinds = {one.get("type") for one in (bad["schema"], *bad["schema"].get("anyOf", ()))}
                for value in ("%00", "a%00b", *(("9" * 19, "9" * 5000, "-1") if "integer" in kinds else ())):
                    filled = path
                    for one in parameters:
                        if one["in"] == "path":
                            kind = one["schema"].get("type", "string")
                            filled = filled.replace(
                                f"{{{one['name']}}}", value if one is bad else values[kind]
                            )
                            filled = filled.replace(f"{{{one['name']}:path}}", value if one is bad else "x")
                    query = f"?{bad['name']}={value}" if bad["in"] == "query" else ""
                    answer = await tiering.client.request(
                        method,
                        filled + query,
                        headers=tiering.headers("operator"),
                        json={"decision": "close", "comment": "x"},
                    )
                    tried += 1
                    assert answer.status_code == 422, (method, filled[:80], query[:80], answer.text)
                    assert bad["name"] in [fault.get("parameter") for fault in answer.json()["errors"]]
    assert tried > 40
    assert (await tiering.get("/v1/closes?a%00b=1")).status_code == 422
    commented = await tiering.post("/v1/suspense/1/decision", {"decision": "close", "comment": "a\0b"})
    assert (commented.status_code, commented.json()["errors"][0]["pointer"]) == (422, "/comment")


@pytest.mark.req("TIE-9")
async def test_a_close_is_refused_rehearsed_asked_for_and_told(tiering: Tiering) -> None:
    await tiering.sell("t-1", "15000", day="2025-03-01")
    await tiering.sell("t-0", "15000", day="2024-03-01")
    running = await tiering.post("/v1/closes", {"period": "2026"})
    assert (running.status_code, running.json()["code"], running.json()["year"]) == (
        409,
        "year_not_over",
        2026,
    )
    early = await tiering.post("/v1/closes", {"period": "2025"})
    assert (early.json()["code"], early.json()["year"]) == ("earlier_year_open", 2024)
    assert "2024" in early.json()["detail"]
    assert (await tiering.post("/v1/closes", {"period": "last"})).json()["code"] == "bad_period"
    assert (await tiering.post("/v1/closes", {"period": "2026Q1"})).json()["code"] == "no_quarterly_scheme"
    assert (await tiering.post("/v1/closes", {"period": "2024"}, user="manager")).status_code == 403
    assert (await tiering.post("/v1/closes", {"period": "2024"})).status_code == 202
    await tiering.bench.finish_closes()
    rehearsed = (await tiering.post("/v1/closes", {"period": "2025", "dry_run": True})).json()
    assert rehearsed["moves"] == []
    assert (await tiering.post("/v1/closes", {"period": "2025"})).status_code == 202
    await tiering.bench.finish_closes()
    again = await tiering.post("/v1/closes", {"period": "2025"})
    assert (again.status_code, again.json()["state"]) == (200, "done")
    listed = (await tiering.get("/v1/closes")).json()["items"]
    assert [one["period"] for one in listed] == ["2024", "2025"]
    assert (await tiering.get("/v1/closes/2019")).json()["code"] == "not_closed"


@pytest.mark.req("TIE-1", "TIE-3")
async def test_a_steward_decides_what_is_held_and_only_what_its_reason_allows(tiering: Tiering) -> None:
    await tiering.sell("t-1", "15000")
    await tiering.sell("t-1", "60000")
    await tiering.sell("t-2", "7", code="unknown")
    await tiering.sell("t-3", "70000", business_date="2026-03-20")
    held = (await tiering.get("/v1/suspense")).json()["items"]
    assert [(one["id"], one["reason"], one["decisions"]) for one in held] == [
        ("t-1", "conflict", ["keep", "replace"]),
        ("t-2", "unknown_code", ["close"]),
        ("t-3", "future_date", ["book", "close"]),
    ]  # fmt: skip
    numbers = [one["number"] for one in held]

    async def decide(number: int, decision: str, user: str = "operator") -> httpx.Response:
        body = {"decision": decision, "comment": "checked with the outlet"}
        return await tiering.post(f"/v1/suspense/{number}/decision", body, user)

    wrong = await decide(numbers[1], "book")
    assert (wrong.status_code, wrong.json()["allowed"]) == (409, ["close"])
    assert (await decide(numbers[0], "replace", user="auditor")).status_code == 403
    assert (await decide(numbers[0], "replace")).json()["state"] == "booked"
    again = await decide(numbers[0], "keep")
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    assert (await decide(numbers[2], "book")).json()["state"] == "booked"
    assert (await decide(numbers[1], "close")).json()["state"] == "closed"
    assert (await decide(9999, "close")).json()["code"] == "not_in_suspense"
    tier = (await tiering.get(f"/v1/customers/{CODE}/tiers?scheme=city-default")).json()["tiers"][0]
    assert tier["totals"] == {"2026": "130000.00"}
    ids = await tiering.bench.rows("SELECT id, amount_fen FROM ledger ORDER BY seq")
    assert [(row.id, row.amount_fen) for row in ids] == [
        ("t-1", 1_500_000), ("t-1~1", -1_500_000), ("t-1~2", 6_000_000), ("t-3", 7_000_000),
    ]  # fmt: skip
    kept = (await tiering.get(f"/v1/suspense/{numbers[0]}")).json()
    assert (kept["decided_by"], kept["decision"]) == ("operator", "replace")


@pytest.mark.req("TIE-1")
async def test_replacing_a_content_that_is_held_itself_books_the_second_alone(tiering: Tiering) -> None:
    await tiering.sell("t-1", "15000", code="L-77")
    await tiering.sell("t-1", "60000")
    first, second = (await tiering.get("/v1/suspense")).json()["items"]
    assert (first["reason"], second["reason"]) == ("unknown_code", "conflict")
    body = {"decision": "replace", "comment": "the code was mistyped"}
    assert (await tiering.post(f"/v1/suspense/{second['number']}/decision", body)).json()["state"] == "booked"
    assert (await tiering.get("/v1/suspense")).json()["items"] == []
    await tiering.bench.tell([Customer("L-77")])
    ids = await tiering.bench.rows("SELECT id, amount_fen FROM ledger ORDER BY seq")
    assert [(row.id, row.amount_fen) for row in ids] == [("t-1~2", 6_000_000)]


async def test_a_request_sent_again_with_its_key_has_the_effect_and_the_answer_of_the_first(
    tiering: Tiering,
) -> None:
    first = await tiering.post("/v1/transactions", [sale("k-1", "5")], key="one")
    again = await tiering.post("/v1/transactions", [sale("k-1", "5")], key="one")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    rows = await tiering.bench.rows("SELECT 1 FROM outbox WHERE topic = 'counter.transactions.v1'")
    assert len(rows) == 1
    other = await tiering.post("/v1/transactions", [sale("k-2", "5")], key="one")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    await tiering.sell("t-1", "15000")
    await tiering.sell("t-1", "60000")
    (held,) = (await tiering.get("/v1/suspense")).json()["items"]
    path, body = (
        f"/v1/suspense/{held['number']}/decision",
        {"decision": "keep", "comment": "the first is right"},
    )
    decided = [(await tiering.post(path, body, key="two")).json() for _ in range(2)]
    assert decided[0] == decided[1] == {"number": held["number"], "state": "closed", "reason": "conflict"}


async def test_a_dead_letter_is_shown_replayed_once_and_never_twice(tiering: Tiering) -> None:
    await tiering.bench.publish([(b"k", b"{not json", [("content-type", b"application/cloudevents+json")])])
    (letter,) = (await tiering.get("/v1/dead-letters")).json()["items"]
    shown = (await tiering.get(f"/v1/dead-letters/{letter['id']}")).json()
    assert (shown["reason"], shown["value_text"]) == ("not_json", "{not json")
    fixed = base64.b64encode(b'{"better": true}').decode()
    path = f"/v1/dead-letters/{letter['id']}/replay"
    assert (await tiering.post(path, {"value_base64": "*"})).json()["code"] == "bad_base64"
    assert (await tiering.post(path, {"value_base64": fixed}, user="manager")).status_code == 403
    assert (await tiering.post(path, {"value_base64": fixed})).json()["state"] == "replayed"
    assert (await tiering.post(path, {})).json()["code"] == "dead_letter_already_decided"
    rows = await tiering.bench.rows("SELECT value FROM outbox WHERE topic = 'counter.transactions.v1'")
    assert [row.value for row in rows] == [b'{"better": true}']
    assert (await tiering.get("/v1/dead-letters")).json()["items"] == []


async def test_the_reader_may_not_look_past_row_level_security(tiering: Tiering, engines: Engines) -> None:
    await tiering.sell("t-1", "15000")
    name = tiering.bench.engine.url.database
    assert name is not None
    reader = create_engine(
        engines.postgres.url(
            "tiering_reader", engines.postgres_passwords["tiering_reader"], name, "postgresql+asyncpg"
        ),
        "test",
    )
    async with reader.connect() as connection:
        for table in ("accounts", "ledger", "month_totals", "standings", "tier_changes", "suspense"):
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    for table in ("outbox", "dead_letters", "identities"):
        async with reader.connect() as connection:
            with pytest.raises(ProgrammingError, match="permission denied"):
                await connection.execute(text(f"SELECT 1 FROM {table}"))
    await reader.dispose()
