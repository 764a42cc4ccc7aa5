"""When a well-formed transaction is held back instead of booked (TIE-3, TIE-4, TIE-5; 10-contracts “Bad input”).

A held transaction is a stored fact with its reason, never an error. Some causes go away by themselves (a code becomes
known, a sale arrives); `future_date`, `year_too_old` and `conflict` wait for a steward.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from services.tiering.domain.closing import ClosedYears


class HoldReason(StrEnum):
    UNKNOWN_CODE = "unknown_code"
    BAD_CHECK_DIGIT = "bad_check_digit"
    RETIRED_CODE = "retired_code"
    CONFLICT = "conflict"
    OVER_REVERSAL = "over_reversal"
    REVERSAL_MISMATCH = "reversal_mismatch"
    SALE_UNKNOWN = "sale_unknown"
    FUTURE_DATE = "future_date"
    YEAR_TOO_OLD = "year_too_old"


FREED_BY_CODE: Final[tuple[HoldReason, ...]] = (
    HoldReason.UNKNOWN_CODE,
    HoldReason.BAD_CHECK_DIGIT,
    HoldReason.RETIRED_CODE,
)
"""Reasons that end by themselves when the registry makes the code good."""

FREED_BY_MERGE: Final[tuple[HoldReason, ...]] = (*FREED_BY_CODE, HoldReason.REVERSAL_MISMATCH)
"""Reasons that may end when two customers become one: a reversal under one code can name a sale under the other."""

FOR_A_STEWARD = (HoldReason.FUTURE_DATE, HoldReason.YEAR_TOO_OLD, HoldReason.CONFLICT)
"""Reasons that only a person ends."""


@dataclass(frozen=True, slots=True)
class DatePolicy:
    """Settings of TIE-3, in data: how far ahead a business date may lie, and how long a closed year takes corrections."""

    days_ahead: int = 2
    correction_horizon_years: int = 2


def years_after(instant: datetime, years: int) -> datetime:
    """The same instant some calendar years later; 29 February becomes 28 February in a common year."""
    try:
        return instant.replace(year=instant.year + years)
    except ValueError:
        return instant.replace(year=instant.year + years, day=28)


def date_reason(
    business_date: date,
    occurred_on: date,
    today: date,
    arrived_at: datetime,
    closed: ClosedYears,
    policy: DatePolicy,
) -> HoldReason | None:
    """Why a business date is held, if it is. `occurred_on` and `today` are dates in Asia/Shanghai; `arrived_at` is the
    record's arrival at the broker (in a sandbox, the sandbox clock when it was first read)."""
    if business_date > min(occurred_on, today) + timedelta(days=policy.days_ahead):
        return HoldReason.FUTURE_DATE
    last = closed.last
    if last is not None and business_date.year <= last:
        closed_at = closed.closed_at(business_date.year)
        if closed_at is not None and arrived_at > years_after(closed_at, policy.correction_horizon_years):
            return HoldReason.YEAR_TOO_OLD
    return None


@dataclass(frozen=True, slots=True)
class Sale:
    """A booked sale that a reversal may name: whose it is, and how much of it is left."""

    account: int
    line: int
    left_fen: int


def reversal_reason(sale: Sale, account: int, line: int, amount_fen: int) -> HoldReason | None:
    """Why a reversal that names a booked sale is held, if it is (TIE-4)."""
    if sale.account != account or sale.line != line:
        return HoldReason.REVERSAL_MISMATCH
    if amount_fen > sale.left_fen:
        return HoldReason.OVER_REVERSAL
    return None
