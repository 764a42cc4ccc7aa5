"""How a run of the tests in several processes (pytest-xdist) is divided: what shares engines or an instance stays together.

A process takes whole groups, in the order of the folders: the long ones come first, the many short ones fill the end.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

ON_THE_COMMON_INSTANCE = frozenset({"test_cli_tiering", "test_console", "test_races"})
"""Modules of `tests/e2e` that use the one instance of a session, which each process would else start for itself."""


class Together(LoadScopeScheduling):
    """Hands out groups of tests, each to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The group of a test: a package of the integration tests has engines of its own; else a module stays whole."""
    path = PurePosixPath(nodeid.partition("::")[0])
    if path.parent.name == "e2e" and path.stem in ON_THE_COMMON_INSTANCE:
        return "the common instance"
    return str(path.parent if path.parent.parent.name == "integration" else path)
