"""A database with messaging's tables for each module, and failpoints that never outlive a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from shared import failpoints
from tests.support.engines import Engines
from tests.support.messaging import Bench, make_tables


@pytest.fixture(scope="module")
async def bench(engines: Engines) -> AsyncIterator[Bench]:
    database = engines.scratch_database("tiering")
    await make_tables(database)
    bench = Bench(engines, database)
    yield bench
    await bench.engine.dispose()
    engines.drop_database(database)


@pytest.fixture(autouse=True)
def no_failpoints() -> Iterator[None]:
    yield
    failpoints.arm("")
