"""A dead letter that a person disposes of is told to others, once, with the decision."""

from __future__ import annotations

import asyncio
import base64

import httpx
import pytest

from shared.contracts.topics import UNITS, events_topic
from shared.ids import new_id
from shared.messaging.records import Record
from tests.integration.registry.conftest import Registry

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-2")]


async def given_up(registry: Registry, offset: int) -> int:
    """A record of a topic of ours that could not be read; the number of its dead letter."""
    record = Record(UNITS, 3, offset, b"3205", b"{broken", (), 0)
    async with registry.platform.unit_of_work.begin(consumer="reader") as work:
        work.dead_letter(record, "not_json", "line 1")
    rows = await registry.sql('SELECT id FROM dead_letters WHERE "offset" = :offset', offset=offset)
    return int(rows[0].id)


async def dispose(registry: Registry, number: int, act: str, key: str | None = None) -> httpx.Response:
    body = {} if act == "close" else {"value_base64": base64.b64encode(b"{}").decode()}
    return await registry.post(f"/v1/dead-letters/{number}/{act}", body, key=key)


@pytest.mark.parametrize(("act", "state"), [("close", "closed"), ("replay", "replayed")])
async def test_whoever_disposes_of_a_dead_letter_tells_so_in_the_same_step(
    registry: Registry, act: str, state: str
) -> None:
    number = await given_up(registry, len(act))
    key = new_id()
    answers = await asyncio.gather(
        *(dispose(registry, number, act, key) for _ in range(3)), dispose(registry, number, act)
    )
    assert sum(each.status_code == 200 for each in answers) in (1, 3)
    told = [
        each
        for each in await registry.published(events_topic("registry"))
        if each.get("dead_letter_id") == number
    ]
    assert len(told) == 1
    assert (told[0]["state"], told[0]["decided_by"], told[0]["consumer"]) == (state, "operator", "reader")
    assert (told[0]["origin_topic"], told[0]["origin_partition"], told[0]["origin_offset"]) == (
        UNITS,
        3,
        len(act),
    )
