"""Views on a database of their own, and reporting as a process on the real engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from services.reporting.adapters.views import PostgresViews
from services.reporting.handlers.build_views import BuildViews
from shared.migrating import upgrade
from tests.support.engines import Database, Engines, own_folder, running_engines
from tests.support.services import ServiceProcess
from tests.support.states import HandlerBench


@pytest.fixture(scope="package")
def engines() -> Iterator[Engines]:
    """Engines of these tests' own: they look at whole topics, to which other tests write as well."""
    with own_folder("reporting") as folder, running_engines(folder) as running:
        yield running


@pytest.fixture(scope="package")
def migrated(engines: Engines) -> Iterator[Database]:
    """A database whose tables are there and whose rows are each test's own."""
    database = engines.scratch_database("reporting")
    asyncio.run(upgrade("reporting", database.owner))
    yield database
    engines.drop_database(database)


@pytest.fixture
async def views(migrated: Database) -> AsyncIterator[HandlerBench]:
    """The handler alone, on an empty database."""
    owner = await asyncpg.connect(migrated.dsn("reporting_owner", "postgresql"))
    await owner.execute(
        "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('public.%I', tablename), ', ') "
        "|| ' RESTART IDENTITY' FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'); END $$"
    )
    await owner.close()
    bench = HandlerBench(migrated, BuildViews(PostgresViews))
    yield bench
    await bench.engine.dispose()


@pytest.fixture(scope="package")
async def reporting(
    engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServiceProcess]:
    """The whole service, running."""
    folder: Path = tmp_path_factory.mktemp("reporting")
    service = ServiceProcess(engines, await engines.migrated_database("reporting"), folder)
    service.start()
    try:
        await service.wait_ready()
        yield service
        service.stop()
    finally:
        service.kill()
        engines.drop_database(service.database)
