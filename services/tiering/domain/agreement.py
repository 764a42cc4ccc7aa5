"""The key-account condition: which agreements are in force, and since when without a break (TIE-8, TIE-20; S0 art.10).

An agreement is in force from the event of its signing to the event of its end, whatever its dates say. The signing date
that a promotion may not precede is that of the first agreement of an unbroken chain: as long as one follows another
without a moment between, the chain goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.tiering.domain.scheme import SchemeVersion


@dataclass(frozen=True, slots=True)
class Agreement:
    """A service agreement as the registry tells it. `lines` are line numbers, empty for all of them."""

    number: str
    signed_on: date
    ends_on: date | None
    lines: tuple[int, ...]
    in_force: bool
    ended_on: date | None


@dataclass(frozen=True, slots=True)
class Cover:
    """How a scheme's agreement condition stands: `signed_on` of the unbroken chain while one is in force, or the date
    of the last end (`ended_on`) after one was; both None when there never was one."""

    signed_on: date | None = None
    ended_on: date | None = None

    @property
    def in_force(self) -> bool:
        return self.signed_on is not None


NEVER_COVERED: Final = Cover()


def cover_after(
    before: Cover, version: SchemeVersion, agreements: Iterable[Agreement], known: Iterable[Agreement] = ()
) -> Cover:
    """The cover once the registry's latest word about the customer's agreements is known; `known` is its word before. An
    agreement that was over when it was first told was never in force, so its end is not the end of anything."""
    relevant = [agreement for agreement in agreements if version.covered_by(agreement.lines)]
    in_force = [agreement.signed_on for agreement in relevant if agreement.in_force]
    if in_force:
        return before if before.in_force else Cover(signed_on=min(in_force))
    if not before.in_force:
        return before
    were = {agreement.number for agreement in known if agreement.in_force}
    ended = {agreement.number: agreement.ended_on for agreement in relevant if agreement.ended_on is not None}
    ends = [day for number, day in ended.items() if number in were] or list(ended.values())
    return Cover(ended_on=max(ends, default=None))
