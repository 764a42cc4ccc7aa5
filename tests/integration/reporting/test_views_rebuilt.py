"""Views rebuilt beside the served ones: compared, exchanged, and nothing lost that the topics no longer have (REP-1).

The last test deletes records of topics that the whole package shares, so this file comes last in it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from confluent_kafka import TopicPartition

from services.reporting.handlers.build_views import TOPICS
from shared.auth.development import mint
from shared.contracts.topics import CUSTOMER_EVENTS, PARTITIONS, SUSPENSE
from tests.support import reporting_events as told
from tests.support.engines import Engines
from tests.support.services import ServiceProcess
from tests.support.states import SUZHOU, change, customer, publish, tier, unit
from tests.support.waiting import until

pytestmark = pytest.mark.engines

START = f"R{secrets.token_hex(3)}"


@pytest.fixture(scope="module")
async def rebuilt(
    engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceProcess]:
    """A service of this module's own: its views are damaged and exchanged."""
    folder: Path = tmp_path_factory.mktemp("rebuilt")
    service = ServiceProcess(engines, await engines.migrated_database("reporting"), folder)
    service.start()
    try:
        await service.wait_ready()
        publish(engines, [unit("3205", SUZHOU), *told.of_every_kind(f"{START}1")])
        publish(engines, [message for n in range(1, 4) for message in _about(f"{START}{n}")])
        publish(
            engines, [told.held(f"{START}2", state="closed", counter_id="Z"), told.window_gone(f"{START}1")]
        )
        await service.at_rest(TOPICS)
        yield service
        service.stop()
    finally:
        service.kill()
        engines.drop_database(service.database)


def _about(code: str) -> list[Any]:
    return [
        customer(code),
        tier(code),
        change(code),
        told.customer_event(code),
        told.held(code, counter_id="Z"),
    ]


async def ask(service: ServiceProcess, user: str = "operator", **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {mint(service.secrets, user)}"}
    async with httpx.AsyncClient() as client:
        return await client.post(f"{service.url}/v1/views/rebuild", json=body, headers=headers)


async def finished(service: ServiceProcess, **body: Any) -> dict[str, Any]:
    answer = await ask(service, **body)
    assert answer.status_code == 202, answer.text

    async def done() -> dict[str, Any] | None:
        state = (await service.get(f"/v1/views/rebuilds/{answer.json()['id']}")).json()
        return state if state["finished_at"] is not None else None

    found: dict[str, Any] = await until(done, 60, "the rebuild")
    return found


async def owner(service: ServiceProcess, statement: str) -> list[Any]:
    connection = await asyncpg.connect(service.database.dsn("reporting_owner", "postgresql"))
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


@pytest.mark.req("REP-1")
async def test_views_compared_with_what_the_topics_give_do_not_differ(rebuilt: ServiceProcess) -> None:
    state = await finished(rebuilt, compare_only=True)
    assert (state["state"], state["report"]["differences"], state["report"]["exchanged"]) == (
        "done",
        0,
        False,
    )
    rows = {view["view"]: view["rows"] for view in state["report"]["views"]}
    assert (
        rows["customer_view"] >= 3
        and rows["suspense_view"] >= 4
        and rows["window_view"] == 0
        and len(rows) == 14
    )
    assert state["records_read"] == state["records_to_read"]


@pytest.mark.req("REP-1")
async def test_a_planted_difference_is_found_and_the_served_views_stay_until_it_is_accepted(
    engines: Engines, rebuilt: ServiceProcess
) -> None:
    await owner(rebuilt, f"UPDATE customer_view SET name = 'forged' WHERE customer_code = '{START}1'")
    await owner(rebuilt, f"DELETE FROM tier_view WHERE customer_code = '{START}2'")
    await owner(rebuilt, "INSERT INTO revenue_view VALUES ('nobody', 2026, 1, 'press', 1, 1, 1)")
    for body in ({"compare_only": True}, {}):
        state = await finished(rebuilt, **body)
        assert state["state"] == "differs" and not state["report"]["exchanged"]
        found = {view["view"]: view for view in state["report"]["views"] if view["examples"]}
        assert {view: row["examples"] for view, row in found.items()} == {
            "customer_view": [f"different: {START}1"],
            "revenue_view": ["only_served: nobody | 2026 | 1 | press"],
            "tier_view": [f"only_rebuilt: {START}2 | city-default"],
        }
        assert state["report"]["differences"] == 3
    assert (await rebuilt.get(f"/v1/customers/{START}1")).json()["name"] == "forged"

    state = await finished(rebuilt, accept_differences=True)
    assert (state["state"], state["report"]["exchanged"]) == ("done", True)
    assert (await rebuilt.get(f"/v1/customers/{START}1")).json()["name"] == "苏州织造有限公司"
    assert (await finished(rebuilt, compare_only=True))["report"]["differences"] == 0

    # The exchanged views go on being built, and readers keep to their scope.
    publish(
        engines, [customer(f"{START}1", version=2, name="改名"), customer(f"{START}9", path="/CN/32/3201")]
    )

    async def goes_on() -> bool:
        names = [row["name"] for row in await rebuilt.items("/v1/customers", "centre", q=START)]
        return names.count("改名") == 1 and len(names) == 3

    await until(goes_on, what="the exchanged views go on")


@pytest.mark.req("REP-1")
async def test_pages_are_answered_all_the_time_and_only_one_rebuild_runs(rebuilt: ServiceProcess) -> None:
    await rebuilt.at_rest(TOPICS)
    states: list[int] = []
    counts: list[int] = []
    ended = False

    async def look() -> None:
        while not ended:
            answer = await rebuilt.get("/v1/customers", q=START)
            states.append(answer.status_code)
            counts.append(len(answer.json()["items"]))

    watching = asyncio.create_task(look())
    first, second = await asyncio.gather(ask(rebuilt), ask(rebuilt))
    assert sorted((first.status_code, second.status_code)) == [202, 409]
    number = (first if first.status_code == 202 else second).json()["id"]

    async def done() -> bool:
        return bool((await rebuilt.get(f"/v1/views/rebuilds/{number}")).json()["finished_at"])

    await until(done, 60)
    ended = True
    await watching
    assert set(states) == {200} and set(counts) == {4}
    (last,) = (await rebuilt.get("/v1/views/rebuilds", limit=1)).json()["items"]
    assert last["state"] == "done" and last["report"]["exchanged"]
    for user in ("centre", "steward", "auditor", "admin"):
        assert (await ask(rebuilt, user)).status_code == 403, user


@pytest.mark.req("REP-1")
async def test_rows_whose_records_have_expired_are_kept_and_said_to_be(
    engines: Engines, rebuilt: ServiceProcess
) -> None:
    await rebuilt.at_rest(TOPICS)
    tables = ("suspense_view", "customer_event_view")
    before = [await owner(rebuilt, f"SELECT * FROM {table} ORDER BY 1") for table in tables]
    assert all(before)
    for topic in (SUSPENSE, CUSTOMER_EVENTS):
        for future in engines.admin.delete_records(
            [TopicPartition(topic, number, -1) for number in range(PARTITIONS)]
        ).values():
            future.result(20)
    state = await finished(rebuilt)
    assert (state["state"], state["report"]["differences"], state["report"]["exchanged"]) == ("done", 0, True)
    kept = {view["view"]: view["kept_from_expired"] for view in state["report"]["views"]}
    assert (kept["suspense_view"], kept["customer_event_view"]) == (len(before[0]), len(before[1]))
    assert {one["topic"] for one in state["report"]["expired"]} == {SUSPENSE, CUSTOMER_EVENTS}
    assert [await owner(rebuilt, f"SELECT * FROM {table} ORDER BY 1") for table in tables] == before
