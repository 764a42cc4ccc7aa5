"""Bodies over the limit are refused before they are kept (PLT-14)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from shared import problems
from shared.body_limit import BodyLimit

pytestmark = pytest.mark.req("PLT-14")


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(BodyLimit, limit=100)

    @app.post("/length")
    async def length(body: list[str]) -> int:
        return sum(map(len, body))

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as one:
        yield one


async def test_a_body_within_the_limit_passes(client: AsyncClient) -> None:
    assert (await client.post("/length", json=["x" * 90])).json() == 90


async def test_an_announced_length_over_the_limit_is_refused_with_413(client: AsyncClient) -> None:
    answer = await client.post("/length", json=["x" * 200])
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


async def test_a_body_in_chunks_is_broken_off_at_the_limit(client: AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'["'
        for _ in range(20):
            yield b"x" * 50
        yield b'"]'

    assert (await client.post("/length", content=chunks())).status_code in (400, 413)
