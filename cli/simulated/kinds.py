"""Kinds of customers: what they post, on which days, and how their business goes.

The figures are made up, and chosen so that all lines, growth and decline occur. Weights are relative to one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.contracts.counter_v1 import Line

_OFFICE: Final = (1.15, 1.05, 1.0, 1.0, 1.1, 0.25, 0.0)
"""Monday to Sunday, of those who rest at the weekend."""
_SHOP: Final = (1.1, 1.0, 0.95, 1.0, 1.1, 0.9, 0.6)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of customer."""

    name_zh: str
    frequency: int
    """How many of a hundred customers are of it."""
    lines: Mapping[Line, int]
    """The mix of its lines."""
    week: tuple[float, ...]
    """How much of an ordinary day falls on Monday … Sunday."""
    month_end: float
    """What the last three working days of a month are multiplied by: statements, accounts, tax."""
    growth: tuple[float, float]
    """Between which factors its business changes in a year."""
    piece_fen: int
    """What one piece costs about."""
    credit: bool = False
    """Whether it settles later under its agreement."""


KINDS: Final[tuple[Kind, ...]] = (
    Kind("电子商务", 24, {"express": 6, "parcels": 3, "logistics": 1}, _SHOP, 1.0, (1.1, 2.4), 1100),
    Kind("制造", 18, {"logistics": 5, "express": 3, "letters": 1, "information": 1}, _OFFICE, 1.5, (0.7, 1.4), 3800, True),
    Kind("银行", 12, {"letters": 7, "finance": 2, "express": 1}, _OFFICE, 2.4, (0.6, 1.05), 120),
    Kind("保险", 8, {"letters": 4, "finance": 3, "express": 3}, _OFFICE, 1.9, (0.4, 1.1), 260, True),
    Kind("出版", 8, {"press": 6, "parcels": 2, "letters": 2}, _OFFICE, 1.4, (0.5, 1.0), 450),
    Kind("医院", 8, {"express": 4, "information": 3, "letters": 3}, _SHOP, 1.1, (0.9, 1.5), 900),
    Kind("律师事务", 8, {"express": 7, "letters": 3}, _OFFICE, 1.2, (0.9, 1.4), 1600),
    Kind("文化收藏", 6, {"philately": 6, "express": 2, "parcels": 2}, _SHOP, 1.0, (0.6, 1.2), 5200),
    Kind("商贸", 8, {"parcels": 5, "express": 4, "press": 1}, _SHOP, 1.2, (0.5, 1.6), 1300),
)  # fmt: skip
