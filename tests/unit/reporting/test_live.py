"""The live stream: every page hears every change, words that come together go out as one, and a page that missed
something finds out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.reporting.entrypoints.console import live
from services.reporting.entrypoints.console.live import STREAMS_PER_USER, Hub
from services.reporting.entrypoints.console.visitor import Manner, Visitor
from shared.auth.development import AUDIENCE, JWKS_FILE, PEOPLE, mint
from shared.auth.tokens import DEVELOPMENT_ISSUER, TokenRefused, TokenVerifier
from tests.support.console import NOW, Bench

pytestmark = pytest.mark.req("REP-17")


class Follower:
    """The events of one stream as a browser takes them apart."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live, "TOGETHER_SECONDS", 0.01)
        self.tokens = TokenVerifier(bench.secrets / JWKS_FILE, DEVELOPMENT_ISSUER, AUDIENCE)
        self.who = Visitor(PEOPLE[0], mint(bench.secrets, "operator"), Manner("en", "auto"))
        stream = bench.hub.open("operator")
        assert stream is not None
        self._events: AsyncIterator[bytes] = live.events(
            bench.hub, stream, self.who, self._as_of, self.tokens, bench.console.clock
        )

    async def _as_of(self, _: Visitor) -> Any:
        return NOW

    async def next(self) -> tuple[str, dict[str, Any]]:
        while True:
            async with asyncio.timeout(5):
                lines = (await anext(self._events)).decode().splitlines()
            said = dict(line.split(": ", 1) for line in lines if line)
            if "event" in said:
                return said["event"], json.loads(said["data"])

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            return [event async for event in self._events] == []


@pytest.fixture
def follower(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Follower:
    return Follower(bench, monkeypatch)


async def test_it_begins_with_the_time_of_the_data_and_tells_changes_that_come_together_once(
    bench: Bench, follower: Follower
) -> None:
    kind, told = await follower.next()
    assert kind == "beat" and told["as_of"] == "2026-03-09T02:00:00+00:00" and told["mark"] == bench.hub.mark
    bench.hub.heard(["tier_view"])
    bench.hub.heard(["customer_view", "tier_view"])
    kind, told = await follower.next()
    assert (kind, told["views"]) == ("views", ["customer_view", "tier_view"])
    bench.hub.heard(["plan_view"])
    assert (await follower.next())[1]["views"] == ["plan_view"]


async def test_a_change_between_a_page_and_its_stream_shows_by_another_mark(
    bench: Bench, follower: Follower
) -> None:
    async with bench.browser() as browser:
        page = (await browser.get("/customers")).text
    assert f'data-mark="{bench.hub.mark}"' in page
    bench.hub.heard(["customer_view"])
    assert f'data-mark="{(await follower.next())[1]["mark"]}"' not in page


async def test_it_beats_while_nothing_happens_and_ends_when_the_token_no_longer_holds(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.01)
    assert [(await follower.next())[0] for _ in range(3)] == ["beat", "beat", "beat"]

    def refuse(_: str) -> None:
        raise TokenRefused("expired")

    monkeypatch.setattr(follower.tokens, "verify", refuse)
    assert (await follower.next())[0] == "signed-out"
    assert await follower.ended()


async def test_the_end_of_the_process_ends_every_stream_at_once(bench: Bench, follower: Follower) -> None:
    await follower.next()
    bench.hub.end()
    assert await follower.ended()


def test_one_person_holds_only_so_many_streams_and_a_closed_one_makes_room() -> None:
    hub = Hub()
    streams = [hub.open("manager") for _ in range(STREAMS_PER_USER)]
    assert all(streams) and hub.open("manager") is None and hub.open("centre") is not None
    first = streams[0]
    assert first is not None
    hub.close(first)
    hub.close(first)
    assert hub.open("manager") is not None and hub.open("manager") is None


async def test_too_many_pages_are_told_so_and_nobody_unknown_gets_a_stream(bench: Bench) -> None:
    for _ in range(STREAMS_PER_USER):
        bench.hub.open("operator")
    async with bench.browser() as browser:
        answer = await browser.get("/live")
    assert answer.headers["content-type"].startswith("text/event-stream") and "event: too-many" in answer.text
    async with bench.browser(None) as stranger:
        assert (await stranger.get("/live")).status_code == 303
