"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import requirements
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--requirements", action="store_true", help="print requirement → tests and run nothing")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A misspelt requirement is an error at once; with `--requirements` the table is printed instead of a
    run. In a parallel run, what shares engines or an instance stays together.
    """
    if config.getoption("dist", "no") != "no":
        for item in items:
            item.add_marker(pytest.mark.xdist_group(together(item)))
    listed = requirements.table(items)
    if config.getoption("--requirements"):
        print(f"\n{listed}")
        items.clear()


def together(item: pytest.Item) -> str:
    """What one process of a parallel run takes as a whole, because it shares what is slow to start: the tests of the
    common instance, those of a package with engines of its own, else those of a module."""
    if "instance" in getattr(item, "fixturenames", ()):
        return "instance"
    folder = item.path.parent
    return folder.name if folder.parent.name == "integration" else f"{folder.name}.{item.path.stem}"
