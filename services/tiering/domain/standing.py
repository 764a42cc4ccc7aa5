"""A customer's standing under one scheme, and the moves that change it (TIE-7, TIE-20, 10-contracts “Tier change”).

Every move raises the version by one, so that a subscriber who keeps the highest version seen is always right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from services.tiering.domain.agreement import NEVER_COVERED, Cover
from services.tiering.domain.scheme import NO_TIER, SchemeVersion


class Direction(StrEnum):
    PROMOTION = "promotion"
    DEMOTION = "demotion"
    CORRECTION = "correction"


class Reason(StrEnum):
    THRESHOLD_REACHED = "threshold_reached"
    LATE_REVENUE = "late_revenue"
    YEAR_END = "year_end"
    AGREEMENT_SIGNED = "agreement_signed"
    AGREEMENT_ENDED = "agreement_ended"
    MERGED = "merged"
    GRANTED = "granted"


@dataclass(frozen=True, slots=True)
class Move:
    """One tier change, decided. `total_fen` is the total of `year` over the scheme's lines; see 10-contracts for which
    year a reason names."""

    from_tier: int
    to_tier: int
    direction: Direction
    reason: Reason
    effective_on: date
    year: int
    total_fen: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The tier held and how it came: the last move and its `effective_on`, `cover` of the agreement condition,
    `granted` for a level given by registration, and `closed_through`, the last year whose close it has been through."""

    tier: int = NO_TIER
    version: int = 0
    effective_on: date | None = None
    cover: Cover = NEVER_COVERED
    granted: bool = False
    closed_through: int = 0
    last_move: Move | None = None

    def key_account(self, scheme: SchemeVersion) -> bool:
        """TIE-20: a tier above none and, where the scheme asks for one, an agreement in force."""
        return self.tier > NO_TIER and (self.cover.in_force or not scheme.needs_agreement)


NO_STANDING: Final = Standing()
"""Of a customer that has never held a tier, nor an agreement."""


def moved(standing: Standing, move: Move) -> Standing:
    """The standing after a move."""
    return replace(
        standing,
        tier=move.to_tier,
        version=standing.version + 1,
        effective_on=move.effective_on,
        last_move=move,
    )


def caught_up(standing: Standing, last_closed: int | None) -> Standing:
    """A standing without a tier has nothing to lose in a close, so it is through every one of them."""
    if last_closed is None or standing.tier or standing.closed_through >= last_closed:
        return standing
    return replace(standing, closed_through=last_closed)


def latest(*days: date | None) -> date:
    """The latest of the given days; those that are None do not count. At least one must be a day."""
    return max(day for day in days if day is not None)
