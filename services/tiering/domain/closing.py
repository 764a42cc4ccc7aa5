"""Closing a year: the only moment at which a tier falls (TIE-9; S0 art.10: demotion only after the year's end).

Years close in order, and every year before a closed one counts as closed. The outcome is as if the close had happened at
one instant: the service settles a customer's close before anything else touches that customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.tiering.domain.promotion import Totals
from services.tiering.domain.refusals import EarlierYearOpen, YearNotOver
from services.tiering.domain.scheme import NO_TIER, SchemeVersion
from services.tiering.domain.standing import Direction, Move, Reason, Standing, latest, moved


@dataclass(frozen=True, slots=True)
class ClosedYears:
    """The closes recorded so far: year → the instant at which it was closed."""

    instants: Mapping[int, datetime]

    @property
    def last(self) -> int | None:
        return max(self.instants, default=None)

    def closed_at(self, year: int) -> datetime | None:
        """When a year was closed: by its own close or, if it had none, by the first close of a later year."""
        covering = [closed for closed in self.instants if closed >= year]
        return self.instants[min(covering)] if covering else None


CloseRefusal = YearNotOver | EarlierYearOpen
"""Why a year cannot be closed now."""


def refusal(
    year: int, today: date, closed: ClosedYears, earlier_open_with_bookings: int | None
) -> CloseRefusal | None:
    """None when `year` may be closed. A year already closed is no refusal: closing it again changes nothing."""
    if closed.last is not None and year <= closed.last:
        return None
    if year >= today.year:
        return YearNotOver(year)
    if earlier_open_with_bookings is not None:
        return EarlierYearOpen(earlier_open_with_bookings)
    return None


def at_close(
    scheme: SchemeVersion, standing: Standing, city_group: int | None, totals: Totals, year: int
) -> tuple[Standing, Move | None]:
    """The standing after the close of `year`, and the move it brings, if any."""
    through = replace(standing, closed_through=year)
    if standing.tier == NO_TIER or standing.granted:
        return through, None
    closed_total = scheme.total_of(totals[year]) if year in totals else 0
    if scheme.needs_agreement and not standing.cover.in_force:
        ended_on = standing.cover.ended_on
        tier, reason = NO_TIER, Reason.AGREEMENT_ENDED
        earliest = ended_on + timedelta(days=1) if ended_on is not None else None
    else:
        later = (scheme.total_of(lines) for other, lines in totals.items() if other > year)
        tier = max(scheme.tier_for(total, city_group) for total in (closed_total, *later))
        reason, earliest = Reason.YEAR_END, None
    if tier >= standing.tier:
        return through, None
    move = Move(
        from_tier=standing.tier,
        to_tier=tier,
        direction=Direction.DEMOTION,
        reason=reason,
        effective_on=latest(date(year + 1, 1, 1), standing.effective_on, earliest),
        year=year,
        total_fen=closed_total,
    )
    return moved(through, move), move
