"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.engines import Database, Engines, own_folder, running_engines


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One Kafka and one PostgreSQL for the whole session, started when the first test asks."""
    with own_folder("engines") as folder, running_engines(folder) as running:
        yield running


@pytest.fixture(scope="module")
def tiering_database(engines: Engines) -> Iterator[Database]:
    """A fresh database with the tiering service's roles, for one test module."""
    database = engines.scratch_database("tiering")
    yield database
    engines.drop_database(database)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Only a run in several processes asks, and only then is the library there for certain."""
    from tests.support.side_by_side import Together

    return Together(config, log)
