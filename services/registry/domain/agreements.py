"""Agreements: signed, prolonged, ended (REG-20, S0 art.10).

An agreement is in force from the moment its signing is recorded to the moment its end is. Its last day
belongs to it: it ends by itself when the day after begins in Asia/Shanghai. A renewal is a new agreement
with its own number; an ended agreement stays ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Literal

from shared.kernel.days import SHANGHAI
from shared.kernel.refusals import Kind, Refusal

State = Literal["in_force", "ended"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement. No lines means all lines; `ends_on` is its last day, `ended_on` the last day
    it really had; `unit_code` is the unit that signed it, None where nobody said."""

    agreement_no: str
    signed_on: date
    ends_on: date | None
    state: State
    ended_on: date | None
    recorded_at: datetime
    lines: tuple[str, ...] = ()
    unit_code: str | None = None


@dataclass(frozen=True, slots=True)
class AlreadyEnded(Refusal):
    """The end of an ended agreement cannot be moved."""

    agreement_no: str
    ended_on: date
    code: ClassVar[str] = "agreement_already_ended"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {"ended_on": self.ended_on}


@dataclass(frozen=True, slots=True)
class UnknownAgreement(Refusal):
    """The customer has no agreement of this number."""

    agreement_no: str
    code: ClassVar[str] = "unknown_agreement"
    kind: ClassVar[Kind] = "unknown"

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class AgreementDiffers(Refusal):
    """The customer has an agreement of this number with other terms."""

    known: Agreement
    code: ClassVar[str] = "agreement_exists"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {
            "agreement": {
                "agreement_no": self.known.agreement_no,
                "signed_on": self.known.signed_on,
                "ends_on": self.known.ends_on,
                "lines": self.known.lines,
                "unit_code": self.known.unit_code,
                "state": self.known.state,
            }
        }

    def values(self) -> Mapping[str, Any]:
        return {"agreement_no": self.known.agreement_no}


@dataclass(frozen=True, slots=True)
class EndsBeforeSigned(Refusal):
    """The last day lies before the day of signing, which is the `limit`."""

    limit: date
    code: ClassVar[str] = "ends_before_signed"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class SignedInFuture(Refusal):
    """The day of signing is still to come; the `limit` is today."""

    limit: date
    code: ClassVar[str] = "signed_in_future"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class EndLiesAhead(Refusal):
    """What ends at once cannot have a last day after today, which is the `limit`."""

    limit: date
    code: ClassVar[str] = "end_lies_ahead"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class Signing:
    """An agreement as a person records its signing. Without a `unit_code` the customer's unit signed it."""

    agreement_no: str
    signed_on: date
    ends_on: date | None = None
    lines: tuple[str, ...] = ()
    unit_code: str | None = None

    def bad_term(self, today: date) -> SignedInFuture | EndsBeforeSigned | None:
        """Why the term cannot be, if it cannot. A day still to come is no day of signing."""
        if self.signed_on > today:
            return SignedInFuture(today)
        if self.ends_on is not None and self.ends_on < self.signed_on:
            return EndsBeforeSigned(self.signed_on)
        return None

    def tells_of(self, known: Agreement) -> bool:
        """Whether the agreement on record is this one: recording it again changes nothing."""
        return (
            known.signed_on == self.signed_on
            and known.ends_on == self.ends_on
            and set(known.lines) == set(self.lines)
            and self.unit_code in (None, known.unit_code)
        )


def _ended(agreement: Agreement, on: date) -> Agreement:
    return replace(agreement, state="ended", ended_on=on)


def sign(
    agreement_no: str,
    signed_on: date,
    ends_on: date | None,
    recorded_at: datetime,
    today: date,
    lines: tuple[str, ...] = (),
    unit_code: str | None = None,
) -> Agreement:
    """A newly recorded agreement; one whose last day has passed is recorded as ended and is never
    in force."""
    agreement = Agreement(agreement_no, signed_on, ends_on, "in_force", None, recorded_at, lines, unit_code)
    return expire(agreement, today)


def expire(agreement: Agreement, today: date) -> Agreement:
    """The agreement as it stands on a day: ended if its last day has passed, whether or not a timer
    has said so."""
    if agreement.state == "in_force" and agreement.ends_on is not None and agreement.ends_on < today:
        return _ended(agreement, agreement.ends_on)
    return agreement


def move_end(agreement: Agreement, ends_on: date | None, today: date) -> Agreement | AlreadyEnded:
    """Sets the last day of an agreement in force, later or earlier; a day in the past ends it, and None lifts its end.

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


def end_now(agreement: Agreement, ends_on: date, today: date) -> Agreement | AlreadyEnded | EndLiesAhead:
    """Ends an agreement at once, without waiting for the last day to be over: its last day is today or one
    before."""
    if ends_on > today:
        return EndLiesAhead(today)
    moved = move_end(agreement, ends_on, today)
    return _ended(moved, ends_on) if isinstance(moved, Agreement) and moved.state == "in_force" else moved


def one_in_force(agreements: Iterable[Agreement]) -> bool:
    """Whether any agreement is in force: then B leads the customer's upkeep, else A (S1 art.11)."""
    return any(each.state == "in_force" for each in agreements)


def end_is_due_at(ends_on: date) -> datetime:
    """The instant at which an agreement with this last day ends: the following midnight in Asia/Shanghai."""
    return datetime.combine(ends_on + timedelta(days=1), time(), SHANGHAI)
