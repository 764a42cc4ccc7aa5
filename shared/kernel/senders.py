"""Whom a sender of transactions may speak for: lists of sources and of counters, in a grant or of a counter system.

An entry is a whole name, or the beginning of names where it ends in `*`. An empty list names everything, so that a sender
without lists is bound by its unit alone.
"""

from __future__ import annotations

from collections.abc import Sequence


def named(entries: Sequence[str], name: str) -> bool:
    """Whether a list names a source or a counter."""
    return not entries or any(
        name.startswith(entry[:-1]) if entry.endswith("*") else name == entry for entry in entries
    )


def foreign(sources: Sequence[str], counters: Sequence[str], source: str, counter_id: str) -> str | None:
    """Which of its fields makes a transaction one that this sender may not send; None where it may."""
    if not named(sources, source):
        return "source"
    return None if named(counters, counter_id) else "counter_id"
