"""Why a customer has its tier (TIE-15): the figures behind it and how far the next level is, as values.

`total_fen` is the total of `year` over the scheme's lines as the ledger stands; `missing_fen` is what it lacks to the
next level. Sentences for people are made from these values in both languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.tiering.domain.account import Account
from services.tiering.domain.promotion import deciding_year
from services.tiering.domain.scheme import SchemeVersion
from services.tiering.domain.standing import Standing


@dataclass(frozen=True, slots=True)
class NextLevel:
    """The level above: what it takes in a year, and what the best open year still lacks."""

    tier: int
    threshold_fen: int
    missing_fen: int
    year: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A customer's standing under one scheme with its reasons. `justified` is the tier that the last closed year and the
    open ones justify by revenue alone, `year` the one that does (None when none reaches a level)."""

    tier: int
    justified: int
    year: int | None
    totals_fen: dict[int, int]
    next_level: NextLevel | None
    held_back_by_agreement: bool


def explain(
    version: SchemeVersion, standing: Standing, account: Account, last_closed: int | None, today: date
) -> Explanation:
    totals = {year: version.total_of(lines) for year, lines in sorted(account.totals.items())}
    best = deciding_year(version, account.city_group, account.totals, last_closed)
    thresholds = version.thresholds(account.city_group)
    next_level = None
    if standing.tier < len(thresholds):
        # Only an open year can still grow by everyday revenue; the last closed one takes nothing but corrections.
        open_totals = {year: fen for year, fen in totals.items() if last_closed is None or year > last_closed}
        year = max(open_totals, key=lambda one: (open_totals[one], one), default=today.year)
        threshold = thresholds[standing.tier]
        missing = max(0, threshold - open_totals.get(year, 0))
        next_level = NextLevel(standing.tier + 1, threshold, missing, year)
    return Explanation(
        tier=standing.tier,
        justified=best[0] if best else 0,
        year=best[1] if best else None,
        totals_fen=totals,
        next_level=next_level,
        held_back_by_agreement=version.needs_agreement and not standing.cover.in_force and best is not None,
    )
