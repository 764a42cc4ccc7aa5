"""Why a command is refused: data with the numbers; the sentences for people are made where they are answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class WindowHeld:
    """Another window of the customer is in force, settling or about to open. It ends at `until`; others stay barred
    until it has settled, at `barred_until`."""

    plan_id: str
    holder_unit: str
    until: datetime
    barred_until: datetime
    queue_possible: bool


@dataclass(frozen=True, slots=True)
class CoolingDown:
    """The unit lost the customer and may not claim it again yet."""

    until: datetime
    lost_plan: str


@dataclass(frozen=True, slots=True)
class AlreadyFiled:
    """The same unit and manager already have a plan for the customer under review."""

    plan_id: str


@dataclass(frozen=True, slots=True)
class WrongState:
    """The plan's state does not admit the command."""

    state: str
    needed: tuple[str, ...]
    decided_by: str | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WindowOver:
    """The window ended; its holder may no longer act."""

    ended_at: datetime


@dataclass(frozen=True, slots=True)
class OutsideSeason:
    """A festival window that does not touch the festival's season; the next one is named."""

    festival: str
    first_day: date
    last_day: date
    season_first: date | None
    season_last: date | None


@dataclass(frozen=True, slots=True)
class FestivalNotReckoned:
    """A festival window in a year for which the lunar calendar's tables have no day."""

    festival: str
    year: int


@dataclass(frozen=True, slots=True)
class NotSignificant:
    """No extension without significant progress."""


@dataclass(frozen=True, slots=True)
class AlreadyExtended:
    """A window is extended at most so many times."""

    until: datetime
    extensions_max: int


@dataclass(frozen=True, slots=True)
class BadExtension:
    """The day asked for lies outside what an extension may reach; the first and the last possible day."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class OpensTooEarly:
    """A window cannot open on a day that is over."""

    today: date


@dataclass(frozen=True, slots=True)
class NotFirst:
    """Others go first by the published rules, and the centre gave no reason for departing from them."""

    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownUnit:
    """Claims has not heard of the unit, or it is closed."""

    unit_code: str


@dataclass(frozen=True, slots=True)
class UnknownCustomer:
    """Claims has not heard of the customer (yet)."""

    customer_code: str


@dataclass(frozen=True, slots=True)
class CustomerGone:
    """The customer was merged into another or is no longer active."""

    customer_code: str
    status: str
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class BadCreditCode:
    """The prospect's credit code is none."""


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """Nobody decides their own request."""


@dataclass(frozen=True, slots=True)
class UnknownPlan:
    """There is no such plan, or none that the caller may see."""


@dataclass(frozen=True, slots=True)
class CaseDecided:
    """The case was decided before."""

    decision: str
    decided_by: str
    decided_at: datetime


Refusal = (
    WindowHeld
    | CoolingDown
    | AlreadyFiled
    | WrongState
    | WindowOver
    | OutsideSeason
    | FestivalNotReckoned
    | NotSignificant
    | AlreadyExtended
    | BadExtension
    | OpensTooEarly
    | NotFirst
    | UnknownUnit
    | UnknownCustomer
    | CustomerGone
    | BadCreditCode
    | OwnRequest
    | UnknownPlan
    | CaseDecided
)
