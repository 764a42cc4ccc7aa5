"""A migrated tiering database for each test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine
from tests.support.engines import Database, Engines
from tests.support.ledger_bench import LedgerBench

MakeBench = Callable[..., Awaitable[LedgerBench]]


@pytest.fixture
async def make_bench(engines: Engines) -> AsyncIterator[MakeBench]:
    """Makes a bench on a database of its own."""
    made: list[tuple[AsyncEngine, Database]] = []

    async def make(start: datetime, **options: Any) -> LedgerBench:
        database = await engines.migrated_database("tiering")
        engine = create_engine(database.writer, "bench")
        made.append((engine, database))
        return LedgerBench(engine, start, **options)

    yield make
    for engine, database in made:
        await engine.dispose()
        engines.drop_database(database)
