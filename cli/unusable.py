"""A file that is no table for us."""

from __future__ import annotations

from cli.instance import CommandError, Exit
from cli.language import in_language


class UnusableFile(CommandError):
    """The file cannot be read as a table at all: exit code 2. The message is in Chinese and in English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(in_language(zh, en), Exit.BAD_CALL)
