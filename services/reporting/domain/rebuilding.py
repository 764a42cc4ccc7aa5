"""A rebuilt copy of the views may take over when it says the same as the served ones (REP-1).

Compared are all rows and all columns at equal positions of the topics. A difference means that one of the two is wrong, and
nobody but a person can say which: then the served ones stay, unless that person has accepted the differences beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["done", "differs"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One view beside its copy; `examples` names some of the rows that differ."""

    view: str
    rows: int
    only_served: int
    only_rebuilt: int
    different: int
    examples: tuple[str, ...] = ()

    @property
    def differences(self) -> int:
        return self.only_served + self.only_rebuilt + self.different


@dataclass(frozen=True, slots=True)
class Expired:
    """Records that a topic no longer has: offsets before the first one that is left."""

    topic: str
    partition: int
    records: int


def expired(begins: Mapping[tuple[str, int], int], compacted: frozenset[str]) -> tuple[Expired, ...]:
    """What can no longer be read. What compaction took away had been overtaken and is not missed."""
    return tuple(
        Expired(topic, partition, first)
        for (topic, partition), first in sorted(begins.items())
        if first > 0 and topic not in compacted
    )


def verdict(compared: Sequence[Compared]) -> Verdict:
    """`differs` as soon as one row does."""
    return "differs" if any(one.differences for one in compared) else "done"


def takes_over(compared: Sequence[Compared], *, compare_only: bool, accepted: bool) -> bool:
    """Whether the copy is put in the place of the views."""
    return not compare_only and (accepted or verdict(compared) == "done")
