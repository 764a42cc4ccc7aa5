"""Agreements: signed, prolonged, ended (REG-20, S0 art.10).

An agreement is in force from the moment its signing is recorded to the moment its end is. Its last day
belongs to it: it ends by itself when the day after begins in Asia/Shanghai. A renewal is a new agreement
with its own number; an ended agreement stays ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

State = Literal["in_force", "ended"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement. No lines means all lines; `ends_on` is its last day, `ended_on` the last day
    it really had."""

    agreement_no: str
    signed_on: date
    ends_on: date | None
    state: State
    ended_on: date | None
    recorded_at: datetime
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlreadyEnded:
    """Refusal: the end of an ended agreement cannot be moved."""

    agreement_no: str
    ended_on: date


def _ended(agreement: Agreement, on: date) -> Agreement:
    return replace(agreement, state="ended", ended_on=on)


def sign(
    agreement_no: str, signed_on: date, ends_on: date | None, recorded_at: datetime, today: date
) -> Agreement:
    """A newly recorded agreement; one whose last day has passed is recorded as ended and is never
    in force."""
    agreement = Agreement(agreement_no, signed_on, ends_on, "in_force", None, recorded_at)
    return expire(agreement, today)


def expire(agreement: Agreement, today: date) -> Agreement:
    """The agreement as it stands on a day: ended if its last day has passed, whether or not a timer
    has said so."""
    if agreement.state == "in_force" and agreement.ends_on is not None and agreement.ends_on < today:
        return _ended(agreement, agreement.ends_on)
    return agreement


def move_end(agreement: Agreement, ends_on: date, today: date) -> Agreement | AlreadyEnded:
    """Sets the last day of an agreement in force, later or earlier; a day in the past ends it.

    Asking an ended agreement for the end it has changes nothing.
    """
    if agreement.state == "ended":
        ended_on = agreement.ended_on or agreement.ends_on or today
        return (
            agreement
            if ends_on in (agreement.ends_on, ended_on)
            else AlreadyEnded(agreement.agreement_no, ended_on)
        )
    return expire(replace(agreement, ends_on=ends_on), today)


def end_is_due_at(ends_on: date) -> datetime:
    """The instant at which an agreement with this last day ends: the following midnight in Asia/Shanghai."""
    return datetime.combine(ends_on + timedelta(days=1), time(), SHANGHAI)
