"""Claims' handler on a database of its own, and claims as a process on the real engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.claims.adapters.known import PostgresKnown
from services.claims.handlers.learn import Learn
from shared.migrating import upgrade
from tests.support.engines import Engines, own_folder, running_engines
from tests.support.services import ServiceProcess
from tests.support.states import HandlerBench


@pytest.fixture(scope="package")
def engines() -> Iterator[Engines]:
    """Engines of these tests' own: they look at whole topics, to which other tests write as well."""
    with own_folder("claims") as folder, running_engines(folder) as running:
        yield running


@pytest.fixture
async def known(engines: Engines) -> AsyncIterator[HandlerBench]:
    """The handler alone, on an empty database."""
    database = engines.scratch_database("claims")
    await upgrade("claims", database.owner)
    bench = HandlerBench(database, Learn(PostgresKnown))
    yield bench
    await bench.engine.dispose()
    engines.drop_database(database)


@pytest.fixture
async def claims(engines: Engines, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    """The whole service, migrated and not yet started."""
    service = ServiceProcess(engines, engines.scratch_database("claims"), tmp_path)
    service.migrate()
    try:
        yield service
    finally:
        service.kill()
        engines.drop_database(service.database)
