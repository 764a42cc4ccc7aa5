"""The migrations lead to the tables that the code believes in."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.tiering.adapters.tables import metadata
from shared.db import create_engine
from shared.messaging.tables import metadata as messaging
from shared.migrating import upgrade
from tests.support.engines import Engines

pytestmark = pytest.mark.engines


async def test_a_migrated_database_has_exactly_the_tables_of_the_code(engines: Engines) -> None:
    database = engines.scratch_database("tiering")
    await upgrade("tiering", database.owner)
    engine = create_engine(database.owner, "test")
    async with engine.connect() as connection:
        differences = await connection.run_sync(_differences)
    await engine.dispose()
    engines.drop_database(database)
    assert differences == []


def _differences(connection: Connection) -> list[Any]:
    ours = {"alembic_version", *messaging.tables}

    def looked_at(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "table" or name not in ours

    context = MigrationContext.configure(connection, opts={"include_name": looked_at})
    return list(compare_metadata(context, metadata))
