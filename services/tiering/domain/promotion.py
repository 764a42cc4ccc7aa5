"""When revenue raises a tier: by a booking (TIE-7, TIE-10) and by signing an agreement (TIE-8). Source: S0 art.10.

The booking that brings a year's total to a threshold promotes at once to the highest level reached. Reversals lower a
total and never move a tier; late revenue counts only for the last closed year and only upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from services.tiering.domain.scheme import SchemeVersion
from services.tiering.domain.standing import Direction, Move, Reason, Standing, latest

Totals = Mapping[int, Sequence[int]]
"""A customer's totals: year → fen by line, in the order of scheme.LINES."""


def on_booking(
    scheme: SchemeVersion,
    standing: Standing,
    city_group: int | None,
    business_date: date,
    total_fen: int,
    last_closed: int | None,
) -> Move | None:
    """The promotion that a sale just booked brings, if any. `total_fen` is its year's total just after it."""
    if scheme.needs_agreement and not standing.cover.in_force:
        return None
    year = business_date.year
    if last_closed is not None and year < last_closed:
        return None  # An older closed year's total is corrected without moving the tier (TIE-10).
    tier = scheme.tier_for(total_fen, city_group)
    if tier <= standing.tier:
        return None
    late = year == last_closed
    return Move(
        from_tier=standing.tier,
        to_tier=tier,
        direction=Direction.PROMOTION,
        reason=Reason.LATE_REVENUE if late else Reason.THRESHOLD_REACHED,
        effective_on=latest(
            business_date,
            standing.effective_on,
            standing.cover.signed_on,
            date(year + 1, 1, 1) if late else None,
        ),
        year=year,
        total_fen=total_fen,
    )


def deciding_year(
    scheme: SchemeVersion, city_group: int | None, totals: Totals, last_closed: int | None
) -> tuple[int, int] | None:
    """(tier, year) of the best level that the last closed year or an open one justifies, the latest year that reaches
    it; None when no such year reaches any level (TIE-8, 10-contracts “total”)."""
    best: tuple[int, int] | None = None
    for year, lines in totals.items():
        if last_closed is not None and year < last_closed:
            continue
        tier = scheme.tier_for(scheme.total_of(lines), city_group)
        if tier and (best is None or (tier, year) > best):
            best = (tier, year)
    return best


def on_signing(
    scheme: SchemeVersion,
    standing: Standing,
    city_group: int | None,
    totals: Totals,
    last_closed: int | None,
    rose_on: date | None,
) -> Move | None:
    """The promotion that an agreement coming into force brings. `standing` already has the new cover; `rose_on` is the
    business date of the booking by which the deciding year last rose to its level (see `last_rise`)."""
    best = deciding_year(scheme, city_group, totals, last_closed)
    if best is None or best[0] <= standing.tier:
        return None
    tier, year = best
    return Move(
        from_tier=standing.tier,
        to_tier=tier,
        direction=Direction.PROMOTION,
        reason=Reason.AGREEMENT_SIGNED,
        effective_on=latest(standing.cover.signed_on, standing.effective_on, rose_on),
        year=year,
        total_fen=scheme.total_of(totals[year]),
    )


def last_rise(bookings: Iterable[tuple[date, int]], threshold_fen: int) -> date | None:
    """The business date of the booking by which a running total last rose to a threshold. `bookings` are the (business
    date, signed fen) of one year and of a scheme's lines, in the order in which the ledger booked them."""
    total = 0
    rose_on = None
    for business_date, amount_fen in bookings:
        before, total = total, total + amount_fen
        if before < threshold_fen <= total:
            rose_on = business_date
    return rose_on


def on_grant(
    scheme: SchemeVersion,
    standing: Standing,
    city_group: int | None,
    totals: Totals,
    today: date,
    last_closed: int | None,
) -> Move | None:
    """The move that a level granted by registration brings, or its withdrawal (S3-GD ch.2: upstream customers).
    `standing.granted` already says what holds now. A withdrawn grant falls back to what revenue justifies."""
    if scheme.granted_to_upstream is None:
        return None
    if standing.granted:
        tier = max(scheme.granted_to_upstream, standing.tier)
    else:
        covered = standing.cover.in_force or not scheme.needs_agreement
        best = deciding_year(scheme, city_group, totals, last_closed) if covered else None
        tier = best[0] if best else 0
    if tier == standing.tier:
        return None
    current = totals.get(today.year)
    return Move(
        from_tier=standing.tier,
        to_tier=tier,
        direction=Direction.PROMOTION if tier > standing.tier else Direction.DEMOTION,
        reason=Reason.GRANTED,
        effective_on=latest(today, standing.effective_on),
        year=today.year,
        total_fen=scheme.total_of(current) if current else 0,
    )
