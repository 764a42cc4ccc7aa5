"""Two accounts become one (TIE-14): totals add up, the alias ends without a tier, the survivor takes the best of TIE-8.

The survivor's own standing goes on: what it holds is never lowered by a merge, and its chain of agreements stays its own;
where it has none in force, the alias's goes on as its own. The day of the merge is that of the registry's record.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from services.tiering.domain.account import Account
from services.tiering.domain.agreement import NEVER_COVERED, Agreement, Cover
from services.tiering.domain.promotion import Totals, deciding_year
from services.tiering.domain.scheme import NO_TIER, SchemeVersion
from services.tiering.domain.standing import Direction, Move, Reason, Standing, latest, moved


def take_totals(survivor: Account, alias: Account) -> None:
    """Add the alias's totals to the survivor's, in place; nothing is left with the alias."""
    for year, lines in alias.totals.items():
        sums = survivor.year(year)
        for line, amount_fen in enumerate(lines):
            sums[line] += amount_fen
    alias.totals = {}


def joined_agreements(own: tuple[Agreement, ...], others: tuple[Agreement, ...]) -> tuple[Agreement, ...]:
    """A customer's agreements and those of another that it does not have by number."""
    numbers = {one.number for one in own}
    return (*own, *(one for one in others if one.number not in numbers))


def joined_cover(survivor: Cover, alias: Cover) -> Cover:
    """How the agreement condition stands for both together."""
    if survivor.in_force or not alias.in_force:
        ends = [day for day in (survivor.ended_on, alias.ended_on) if day is not None]
        return survivor if survivor.in_force or not ends else Cover(ended_on=max(ends))
    return alias


def alias_at_merge(standing: Standing, day: date) -> tuple[Standing, Move | None]:
    """What is left of the alias's standing, and its last move if it held a tier. Its total is what is left to it: nothing."""
    left = replace(standing, cover=NEVER_COVERED, granted=False)
    if standing.tier == NO_TIER:
        return left, None
    move = Move(
        from_tier=standing.tier,
        to_tier=NO_TIER,
        direction=Direction.CORRECTION,
        reason=Reason.MERGED,
        effective_on=latest(day, standing.effective_on),
        year=day.year,
        total_fen=0,
    )
    return moved(left, move), move


def survivor_at_merge(
    scheme: SchemeVersion,
    standing: Standing,
    city_group: int | None,
    totals: Totals,
    last_closed: int | None,
    day: date,
    rose_on: date | None,
) -> Move | None:
    """The survivor's move, if both together justify more than it holds. `standing` has the joined cover already, `totals`
    are the joined ones, and `rose_on` is when the deciding year of both last rose to its level."""
    if scheme.needs_agreement and not standing.cover.in_force:
        return None
    best = deciding_year(scheme, city_group, totals, last_closed)
    if best is None or best[0] <= standing.tier:
        return None
    tier, year = best
    return Move(
        from_tier=standing.tier,
        to_tier=tier,
        direction=Direction.CORRECTION,
        reason=Reason.MERGED,
        effective_on=latest(day, standing.effective_on, standing.cover.signed_on, rose_on),
        year=year,
        total_fen=scheme.total_of(totals[year]),
    )
