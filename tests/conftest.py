"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import Database, Engines, running_engines


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """One Kafka and one PostgreSQL for the whole session, started when the first test asks."""
    with running_engines(tmp_path_factory.mktemp("engines")) as running:
        yield running


@pytest.fixture(scope="module")
def tiering_database(engines: Engines) -> Iterator[Database]:
    """A fresh database with the tiering service's roles, for one test module."""
    database = engines.scratch_database("tiering")
    yield database
    engines.drop_database(database)
