"""The console on its bench."""

from __future__ import annotations

import pytest

from tests.support.console import Bench


@pytest.fixture(scope="session")
def _bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("console"))


@pytest.fixture
def bench(_bench: Bench) -> Bench:
    _bench.forget()
    return _bench
