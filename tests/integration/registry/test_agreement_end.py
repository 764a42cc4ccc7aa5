"""The timer that ends agreements: once, on its day, whatever moved the end meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from services.registry.entrypoints.timers import HANDLERS
from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS
from shared.messaging.timers import TimerLoop
from tests.integration.registry.conftest import Registry
from tests.support.waiting import until

pytestmark = [pytest.mark.engines, pytest.mark.req("REG-20")]

CODE = "2000000000001"


def row(**more: str) -> dict[str, str]:
    return {
        "name": "到期公司",
        "customer_code": CODE,
        "agreement_no": "A-1",
        "agreement_signed_on": "2026-01-05",
        **more,
    }


async def unfired(registry: Registry) -> int:
    now = registry.clock.now()
    rows = await registry.sql(
        "SELECT count(*) FROM timers WHERE fired_at IS NULL AND due_at <= :now", now=now
    )
    return int(rows[0][0])


async def fire_all(registry: Registry, instances: int = 2) -> None:
    """Runs several instances of the timer loop side by side until nothing is due."""
    loops = [TimerLoop(registry.platform.unit_of_work, HANDLERS, poll_seconds=0.02) for _ in range(instances)]
    tasks = [asyncio.create_task(loop.run()) for loop in loops]

    async def nothing_due() -> bool:
        return await unfired(registry) == 0

    try:
        await until(nothing_due)
    finally:
        for loop in loops:
            loop.stop()
        await asyncio.gather(*tasks)


async def states(registry: Registry) -> list[tuple[int, str, str | None]]:
    published = await registry.published(CUSTOMERS, CODE)
    return [
        (each["version"], each["agreements"][0]["state"], each["agreements"][0]["ended_on"])
        for each in published
    ]


async def test_an_agreement_ends_once_when_its_last_day_is_over(registry: Registry) -> None:
    await registry.results([row(agreement_ends_on="2026-03-10")])
    # Prolonged by a day: the first timer fires and finds nothing to end.
    await registry.results([row(agreement_ends_on="2026-03-11")])
    registry.clock.advance_to(datetime(2026, 3, 10, 16, tzinfo=UTC))
    await fire_all(registry)
    assert await states(registry) == [(1, "in_force", None), (2, "in_force", None)]

    registry.clock.advance_to(datetime(2026, 3, 11, 15, 59, 59, tzinfo=UTC))
    await fire_all(registry)
    assert len(await states(registry)) == 2

    registry.clock.advance_to(datetime(2026, 3, 11, 16, tzinfo=UTC))
    await fire_all(registry, instances=3)
    assert (await states(registry))[2:] == [(3, "ended", "2026-03-11")]
    events = [each["event"] for each in await registry.published(CUSTOMER_EVENTS, CODE)]
    assert events.count("agreement_ended") == 1
    file = (await registry.get(f"/v1/customers/{CODE}")).json()
    assert file["agreements"][0]["state"] == "ended"
    assert [(each["step"], each["person"]) for each in file["agreement_steps"]] == [
        ("ended", "service:registry")
    ]


async def test_a_row_that_comes_before_a_late_timer_finds_the_agreement_ended(registry: Registry) -> None:
    late = {"name": "迟到公司", "customer_code": "2000000000002", "agreement_no": "B-1"}
    await registry.results([{**late, "agreement_signed_on": "2026-01-05", "agreement_ends_on": "2026-03-20"}])
    registry.clock.advance_to(datetime(2026, 3, 25, tzinfo=UTC))
    (refused,) = await registry.results([{**late, "agreement_ends_on": "2026-12-31"}])
    assert refused["reasons"] == ["agreement_already_ended"]
    (ended,) = await registry.results([{"name": "迟到公司", "customer_code": "2000000000002"}])
    assert ended["result"] == "updated"
    await fire_all(registry)
    published = await registry.published(CUSTOMERS, "2000000000002")
    assert [(each["version"], each["agreements"][0]["state"]) for each in published] == [
        (1, "in_force"),
        (2, "ended"),
    ]
