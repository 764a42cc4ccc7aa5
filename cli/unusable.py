"""A file that is no table for us."""

from __future__ import annotations

from typing import Any

from cli.instance import CommandError, Exit
from cli.words import phrase


class UnusableFile(CommandError):
    """The file cannot be read as a table at all: exit code 2. Its words are those of the catalogue under `key`."""

    def __init__(self, key: str, /, **values: Any) -> None:
        super().__init__(phrase(key, **values), Exit.BAD_CALL)
