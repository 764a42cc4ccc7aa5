"""One real instance for all end-to-end tests that only need some instance: a sandbox, driven from outside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from shared.clock import SHANGHAI
from tests.support.engines import own_folder
from tests.support.instance import Instance, running

START = datetime(2026, 3, 9, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """Tests share it, so each has customers of its own and leaves the clock where it is. Its 2025 is a year that any
    of them may close."""
    with own_folder("instance") as folder, running(folder / "data", START) as found:
        yield found
