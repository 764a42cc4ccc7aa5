"""What a change would do to a customer's totals and tiers, reckoned from tiering's own explanation before anything is done.

Tiering tells a total, the thresholds of the year and whether an agreement is in force; a change of the total moves the
tier up when it reaches a threshold. Demotions wait for the end of the year, so the tier never falls here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.reporting.adapters.peers import PeerAnswer
from services.reporting.entrypoints.console.formats import fen_of


@dataclass(frozen=True, slots=True)
class Effect:
    """A total and a tier under one scheme, as they are and as they would be. Money is fen."""

    scheme: str
    year: str
    total_fen: int
    total_after_fen: int
    tier: str
    tier_after: str


def booked_one(told: PeerAnswer | None, source: str, id: str) -> PeerAnswer | None:
    """The booking of this identity among those that an explanation shows."""
    for tier in (told or PeerAnswer())["tiers"] or []:
        for booking in (tier["evidence"] or PeerAnswer())["latest_bookings"] or []:
            if (booking["source"], booking["id"]) == (source, id):
                return PeerAnswer(booking)
    return None


def effects(told: PeerAnswer, booking: PeerAnswer, change_fen: int) -> list[Effect]:
    """What changing one booking by so much would do, under each scheme that counts it."""
    found = []
    for tier in told["tiers"] or []:
        evidence = tier["evidence"] or PeerAnswer()
        counted = any(
            (one["source"], one["id"]) == (booking["source"], booking["id"])
            for one in evidence["latest_bookings"] or []
        )
        if counted:
            total = fen_of(evidence["total_now"])
            found.append(
                _effect(tier, str(evidence["year"]), total, total + change_fen, covered=_covered(tier))
            )
    return found


def together(survivor: PeerAnswer, alias: PeerAnswer) -> list[Effect]:
    """What the two would have as one customer, under each scheme of the survivor, in the latest year of either."""
    others = {tier["scheme"]: tier for tier in alias["tiers"] or []}
    found = []
    for tier in survivor["tiers"] or []:
        other = others.get(tier["scheme"], PeerAnswer())
        years = {**(tier["totals"] or {}), **(other["totals"] or {})}
        if not years:
            continue
        year = max(years)
        total = fen_of((tier["totals"] or {}).get(year))
        sum_fen = total + fen_of((other["totals"] or {}).get(year))
        covered = _covered(tier) or (bool(other) and _covered(other))
        found.append(_effect(tier, year, total, sum_fen, covered=covered, other=other))
    return found


def _covered(tier: PeerAnswer) -> bool:
    """Whether nothing but revenue is missing for a tier."""
    agreement = tier["agreement"] or PeerAnswer()
    return not agreement["needed"] or bool(agreement["in_force"])


def _effect(
    tier: PeerAnswer,
    year: str,
    total: int,
    after: int,
    *,
    covered: bool,
    other: Mapping[str, Any] | None = None,
) -> Effect:
    # PeerAnswer from the lowest level up.
    thresholds = {
        code: fen_of(yuan) for code, yuan in ((tier["evidence"] or PeerAnswer())["thresholds"] or {}).items()
    }
    order = ["none", *thresholds]
    held = [tier["tier"], (other or {}).get("tier")]
    if covered:
        held += [code for code, threshold in thresholds.items() if after >= threshold]
    highest = max((code for code in held if code in order), key=order.index, default=tier["tier"])
    return Effect(tier["scheme"], year, total, after, tier["tier"], highest)
