"""Views on a database of their own, and reporting as a process on the real engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.reporting.adapters.views import PostgresViews
from services.reporting.handlers.build_views import BuildViews
from shared.migrating import upgrade
from tests.support.engines import Engines, own_folder, running_engines
from tests.support.services import ServiceProcess
from tests.support.states import HandlerBench


@pytest.fixture(scope="package")
def engines() -> Iterator[Engines]:
    """Engines of these tests' own: they look at whole topics, to which other tests write as well."""
    with own_folder("reporting") as folder, running_engines(folder) as running:
        yield running


@pytest.fixture
async def views(engines: Engines) -> AsyncIterator[HandlerBench]:
    """The handler alone, on an empty database."""
    database = engines.scratch_database("reporting")
    await upgrade("reporting", database.owner)
    bench = HandlerBench(database, BuildViews(PostgresViews))
    yield bench
    await bench.engine.dispose()
    engines.drop_database(database)


@pytest.fixture(scope="module")
async def reporting(
    engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceProcess]:
    """The whole service, running."""
    folder: Path = tmp_path_factory.mktemp("reporting")
    service = ServiceProcess(engines, engines.scratch_database("reporting"), folder)
    service.migrate()
    service.start()
    try:
        await service.wait_ready()
        yield service
        service.stop()
    finally:
        service.kill()
        engines.drop_database(service.database)
