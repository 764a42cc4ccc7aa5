"""Who goes first among plans that are pending together (CLM-6; S1 art.10).

Published criteria in a published order: the unit with the valid declaration, then the territorial unit, then the
greatest benefit (expected margin); rule data may rank benefit before territory where several lines are concerned. Equal
plans stand in the order of filing, and between equals the centre chooses freely; where it departs from the ranking it
gives its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.claims.domain.rules import Criterion, Rule


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pending plan as the criteria see it. `declared`: the customer is registered for its unit or one below it;
    `territory`: how many levels of the customer's division (province, city, county) the unit's division shares."""

    plan_id: str
    unit_code: str
    lines: tuple[str, ...]
    declared: bool
    territory: int
    margin_fen: int | None
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A place in the ranking, from 1. `behind`: the criterion that puts it behind the one before; None between equals."""

    place: int
    candidate: Candidate
    behind: Criterion | None


def order_of(rule: Rule, candidates: Sequence[Candidate]) -> tuple[Criterion, ...]:
    """The criteria in the order that holds for these plans."""
    several = any(len(one.lines) > 1 for one in candidates)
    return rule.ranking_of_several_lines if several else rule.ranking


def rank(candidates: Sequence[Candidate], order: Sequence[Criterion]) -> list[Standing]:
    """The plans in their order, each with the criterion that put it behind the one before."""
    ordered = sorted(
        candidates, key=lambda one: (*(-_worth(one, by) for by in order), one.submitted_at, one.plan_id)
    )
    standings: list[Standing] = []
    for place, candidate in enumerate(ordered, start=1):
        before = ordered[place - 2] if place > 1 else candidate
        behind = next((by for by in order if _worth(before, by) != _worth(candidate, by)), None)
        standings.append(Standing(place, candidate, behind))
    return standings


def going_before(plan_id: str, standings: Sequence[Standing], order: Sequence[Criterion]) -> tuple[str, ...]:
    """The plans that a criterion puts before this one; equal ones are not among them."""
    own = next(one.candidate for one in standings if one.candidate.plan_id == plan_id)
    mine = [_worth(own, by) for by in order]
    return tuple(
        one.candidate.plan_id for one in standings if [_worth(one.candidate, by) for by in order] > mine
    )


def territory_shared(customer_division: str | None, unit_division: str | None) -> int:
    """How many levels (province, city, county) of two GB/T 2260 codes are the same; a unit of a whole city or province
    shares no more than it has."""
    if customer_division is None or unit_division is None:
        return 0
    shared = 0
    for level in (2, 4, 6):
        part = unit_division[level - 2 : level]
        if part in ("00", "") or customer_division[:level] != unit_division[:level]:
            break
        shared += 1
    return shared


def _worth(candidate: Candidate, criterion: Criterion) -> int:
    if criterion == "declaration":
        return int(candidate.declared)
    if criterion == "territory":
        return candidate.territory
    return candidate.margin_fen if candidate.margin_fen is not None else -1
