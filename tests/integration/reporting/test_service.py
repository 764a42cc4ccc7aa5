"""Reporting as it runs: from the topics through the views to HTTP and the page."""

from __future__ import annotations

import re
import secrets
from typing import Any

import asyncpg
import httpx
import pytest
from confluent_kafka import Consumer, Producer

from services.reporting.handlers.build_views import TOPICS
from shared.auth.development import mint
from shared.contracts.topics import dead_letter_topic
from shared.messaging import positions
from tests.support.engines import Database, Engines
from tests.support.services import ServiceProcess
from tests.support.states import (
    NANJING,
    SUZHOU,
    HandlerBench,
    Sent,
    agreement,
    change,
    customer,
    poisons,
    publish,
    tier,
    unit,
)
from tests.support.waiting import until

pytestmark = pytest.mark.engines

VIEWS = ("unit_view", "customer_view", "tier_view", "tier_movement_view", "view_freshness")
GROUP = "reporting.views"


def prefix() -> str:
    """Topics are shared by the whole session, so every test uses codes of its own."""
    return f"T{secrets.token_hex(4)}"


async def customers(
    reporting: ServiceProcess, start: str, user: str = "operator", **more: Any
) -> list[dict[str, Any]]:
    return await reporting.items("/v1/customers", user, q=start, **more)


async def see(reporting: ServiceProcess, start: str, count: int) -> list[dict[str, Any]]:
    async def all_there() -> list[dict[str, Any]] | None:
        found = await customers(reporting, start)
        return found if len(found) >= count and all(row["tiers"] for row in found) else None

    found: list[dict[str, Any]] = await until(all_there, what=f"{count} customers {start}")
    return found


def publish_three(engines: Engines, start: str) -> None:
    """Three customers with tiers, told by the services that own the topics."""
    signed = (agreement(), agreement("XY-0", state="ended"))
    publish(
        engines,
        [
            unit("3205", SUZHOU),
            unit("3201", NANJING, name_zh="南京市分公司", name_en="Nanjing"),
            customer(f"{start}1", agreements=signed),
            customer(f"{start}2", name="<b>园区 & 电子</b>", manager_a=None),
            customer(f"{start}3", path=NANJING),
        ],
        "registry",
    )
    publish(
        engines,
        [
            *(change(f"{start}{n}") for n in (1, 2, 3)),
            change(f"{start}1", version=2, from_tier="silver", to_tier="gold"),
            tier(f"{start}1", version=2, tier="gold", total_fen=20_000_000),
            tier(f"{start}1", scheme="letters", tier="none", key_account=False, version=0, effective_on=None),
            tier(f"{start}2"),
            tier(f"{start}3", key_account=False),
        ],
        "tiering",
    )


@pytest.mark.req("REP-1", "REP-19")
async def test_states_and_changes_become_views_that_each_caller_sees_in_scope(
    engines: Engines, reporting: ServiceProcess
) -> None:
    start = prefix()
    publish_three(engines, start)
    one, two, three = await see(reporting, start, 3)
    assert (one["customer_code"], one["unit_name_zh"], one["unit_name_en"]) == (
        f"{start}1",
        "苏州市分公司",
        "Suzhou",
    )
    assert [each["agreement_no"] for each in one["agreements"]] == ["XY-1"]
    assert [(t["scheme"], t["tier"], t["total"]) for t in one["tiers"]] == [
        ("city-default", "gold", "200000.00"),
        ("letters", "none", "50000.00"),
    ]
    assert two["registered_at"] == "2026-03-09T10:11:12.345+08:00"

    def codes(rows: list[dict[str, Any]]) -> list[str]:
        return [row["customer_code"].removeprefix(start) for row in rows]

    assert codes(await customers(reporting, start, "centre")) == ["1", "2"]
    assert codes(await customers(reporting, start, "centre-nanjing")) == ["3"]
    assert codes(await customers(reporting, start, "manager")) == ["1"]
    assert codes(await customers(reporting, start, "province", unit="3201")) == ["3"]
    assert codes(await customers(reporting, start, tier="silver")) == ["2", "3"]
    assert codes(await customers(reporting, start, tier="none", scheme="city-default")) == []
    assert codes(await customers(reporting, start, scheme="letters")) == ["1"]
    assert codes(await customers(reporting, start, key_account=False)) == ["3"]
    assert codes(await customers(reporting, start, key_account=True, limit=1)) == ["1", "2"]
    assert three["tiers"][0]["key_account"] is False

    async def all_moved() -> bool:
        found = await reporting.items("/v1/tier-movements", customer=f"{start}1")
        return [m["version"] for m in found] == [2, 1]

    await until(all_moved)
    history = (await reporting.get(f"/v1/customers/{start}1", "manager")).json()
    assert [(m["from_tier"], m["to_tier"]) for m in history["movements"]] == [
        ("none", "silver"),
        ("silver", "gold"),
    ]
    refused = await reporting.get(f"/v1/customers/{start}3", "centre")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_customer")
    assert (await reporting.get("/v1/customers", "admin")).status_code == 403
    assert (await reporting.get("/v1/tier-movements", None)).status_code == 401


@pytest.mark.req("REP-2")
async def test_freshness_shows_the_offsets_and_event_times_of_every_view(
    engines: Engines, reporting: ServiceProcess
) -> None:
    start = prefix()
    publish_three(engines, start)
    await see(reporting, start, 3)
    answer = (await reporting.get("/v1/freshness")).json()
    assert {"customer_view", "tier_view", "unit_view"} <= {view["view"] for view in answer["views"]}
    for view in answer["views"]:
        assert view["event_time"] == "2026-03-09T10:11:12.345+08:00"
        assert all(at["offset"] >= 0 for at in view["partitions"])


async def test_movements_page_by_cursor_without_loss_or_repetition_and_a_foreign_cursor_is_refused(
    engines: Engines, reporting: ServiceProcess
) -> None:
    start = prefix()
    publish(engines, [customer(f"{start}1")], "registry")
    publish(engines, [change(f"{start}1", version=version) for version in range(1, 8)], "tiering")

    async def listed(limit: int) -> list[int]:
        found = await reporting.items("/v1/tier-movements", customer=f"{start}1", limit=limit)
        return [m["version"] for m in found]

    async def all_there() -> bool:
        return len(await listed(100)) == 7

    await until(all_there)
    assert await listed(3) == await listed(1) == [7, 6, 5, 4, 3, 2, 1]
    for path, cursor in (("/v1/customers", "AAAA"), ("/v1/tier-movements", "WzFd")):
        answer = await reporting.get(path, cursor=cursor)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
    assert (await reporting.get("/v1/customers", q="a\x00")).status_code == 422


async def test_poison_goes_to_reportings_dead_letters_and_the_consumer_goes_on(
    engines: Engines, reporting: ServiceProcess
) -> None:
    start = prefix()
    wrong: dict[bytes, str] = {}
    sent: list[Sent] = []
    for message in (unit(), customer(f"{start}1"), tier(f"{start}1"), change(f"{start}1")):
        for reason, one in poisons(message).items():
            key = f"{start}|{message.TOPIC}|{reason}".encode()
            wrong[key] = reason
            sent.append(Sent(key, one.value, one.headers, one.topic))
    publish(engines, sent)
    publish(engines, [customer(f"{start}1"), tier(f"{start}1")])
    await see(reporting, start, 1)
    consumer = Consumer(
        engines.librdkafka(
            "verifier",
            **{
                "group.id": f"verifier.{start}",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            },
        )
    )
    consumer.subscribe([dead_letter_topic("reporting")])
    found: dict[bytes, str] = {}

    def next_letter() -> bool:
        message = consumer.poll(0.2)
        if (
            message is not None
            and message.error() is None
            and (message.key() or b"").startswith(start.encode())
        ):
            headers: dict[str, Any] = dict(message.headers() or [])
            found[message.key() or b""] = headers["x-reason"].decode()
        return len(found) == len(wrong)

    await until(next_letter, 40)
    consumer.close()
    assert found == wrong


async def test_what_its_sender_took_back_never_appears(engines: Engines, reporting: ServiceProcess) -> None:
    start = prefix()
    producer = Producer(engines.librdkafka("tiering", **{"transactional.id": "tiering.relay.test"}))
    producer.init_transactions(20)
    producer.begin_transaction()
    taken_back = Sent.of(tier(f"{start}1", tier="diamond", version=9))
    producer.produce(taken_back.topic, taken_back.value, taken_back.key, headers=list(taken_back.headers))
    producer.flush(20)
    producer.abort_transaction(20)
    publish(engines, [customer(f"{start}1"), tier(f"{start}1")])
    (found,) = await see(reporting, start, 1)
    assert [(t["tier"], t["version"]) for t in found["tiers"]] == [("silver", 1)]


@pytest.mark.req("REP-1", "PLT-5")
async def test_rewound_to_the_beginning_the_views_come_out_the_same_and_emptied_ones_come_back(
    engines: Engines, reporting: ServiceProcess
) -> None:
    start = prefix()
    publish_three(engines, start)
    await see(reporting, start, 3)
    await reporting.at_rest(TOPICS)
    before = await everything(reporting.database)
    assert all(before.values())
    for emptied in (False, True):
        writer = HandlerBench(reporting.database, None)  # type: ignore[arg-type]
        reached = await stored_positions(writer)
        if emptied:
            owner = await asyncpg.connect(reporting.database.dsn("reporting_owner", "postgresql"))
            await owner.execute(f"TRUNCATE {', '.join(VIEWS)}")
            await owner.close()
        async with writer.engine.begin() as connection:
            for topic, partition in reached:
                await positions.rewind(connection, GROUP, topic, partition, 0)

        async def read_again(writer: HandlerBench = writer, reached: dict[Any, int] = reached) -> bool:
            return await stored_positions(writer) == reached

        await until(read_again, 40)
        await writer.engine.dispose()
        assert await everything(reporting.database) == before


async def stored_positions(bench: HandlerBench) -> dict[tuple[str, int], int]:
    rows = await bench.rows(f"SELECT topic, partition, next_offset FROM positions WHERE consumer = '{GROUP}'")
    return {(topic, partition): offset for topic, partition, offset in rows}


async def everything(database: Database) -> dict[str, list[Any]]:
    reader = await asyncpg.connect(database.dsn("verifier", "postgresql"))
    try:
        return {
            view: [tuple(row) for row in await reader.fetch(f"SELECT * FROM {view} ORDER BY 1, 2, 3")]
            for view in VIEWS
        }
    finally:
        await reader.close()


async def test_the_page_asks_for_a_token_shows_the_callers_customers_in_two_languages_and_lets_them_leave(
    engines: Engines, reporting: ServiceProcess
) -> None:
    start = prefix()
    publish_three(engines, start)
    await see(reporting, start, 3)
    async with httpx.AsyncClient(base_url=reporting.url, follow_redirects=True) as browser:
        form = await browser.get("/")
        assert form.status_code == 200 and "访问令牌" in form.text and start not in form.text
        refused = await browser.post("/sign-in?lang=en", data={"token": "nonsense"})
        assert refused.status_code == 401 and "not valid" in refused.text
        token = mint(reporting.secrets, "centre")
        foreign = await browser.post(
            "/sign-in", data={"token": token}, headers={"origin": "http://evil.example"}
        )
        assert foreign.status_code == 403
        signed_in = await browser.post("/sign-in?lang=zh", data={"token": token})
        assert signed_in.status_code == 200
        page = await browser.get("/customers", params={"q": start, "unit": "", "tier": "", "scheme": ""})
        assert f"{start}1" in page.text and f"{start}2" in page.text and f"{start}3" not in page.text
        assert "&lt;b&gt;园区 &amp; 电子&lt;/b&gt;" in page.text and "<b>园区" not in page.text
        # How old the data is: the instant of the latest event of all that the tests of this folder sent.
        assert re.search(r'id="as-of"><time datetime="2\d{3}-\d\d-\d\dT', page.text)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        cookie = signed_in.history[0].headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert '<html lang="en"' in (await browser.get("/customers?lang=en")).text
        assert (await browser.get("/customers?cursor=nonsense")).status_code == 400
        # The language that was chosen last stays.
        assert "Access token" in (await browser.post("/sign-out")).text
        header = {"authorization": f"Bearer {mint(reporting.secrets, 'admin')}"}
        assert (await browser.get("/customers", headers=header)).status_code == 403
