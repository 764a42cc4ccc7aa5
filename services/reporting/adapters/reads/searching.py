"""What somebody typed to find something: several words, each of which has to be found, wide letters read as plain ones."""

from __future__ import annotations

import unicodedata
from typing import Final

WORDS_MAX: Final = 8
"""More words than this narrow nothing further; each costs a condition."""


def words_of(typed: str | None) -> tuple[str, ...]:
    """The words to look for, folded as the database folds what it compares them with: `模拟７-017` is `模拟7-017`."""
    folded = unicodedata.normalize("NFKC", typed or "").lower()
    return tuple(dict.fromkeys(folded.split()))[:WORDS_MAX]
