"""Why a command is refused: values with the numbers that the answer carries; the words stand in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from shared.kernel.refusals import Kind, Named, Refusal


@dataclass(frozen=True, slots=True)
class WindowHeld(Refusal):
    """Another window of the customer is in force, settling or about to open. It ends at `until`; others stay barred
    until it has settled, at `barred_until`. `holder` is the unit's name, where claims knows it."""

    holder_plan: str
    holder_unit: str
    until: datetime
    barred_until: datetime
    queue_possible: bool
    holder: Named | None = None

    code: ClassVar[str] = "window_held"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {
            "holder_unit": self.holder_unit,
            "holder_name_zh": self._name.zh,
            "holder_name_en": self._name.en,
            "until": self.until,
            "barred_until": self.barred_until,
            "queue_possible": self.queue_possible,
            "holder_plan": self.holder_plan,
        }

    def values(self) -> Mapping[str, Any]:
        return {
            "holder": self._name,
            "holder_unit": self.holder_unit,
            "until": self.until,
            "barred_until": self.barred_until,
        }

    @property
    def _name(self) -> Named:
        return self.holder or Named(self.holder_unit, self.holder_unit)


@dataclass(frozen=True, slots=True)
class WindowHeldByAnother(Refusal):
    """The database has another window in that time although no plan of the same subject holds it."""

    code: ClassVar[str] = "window_held"
    kind: ClassVar[Kind] = "conflict"

    def sentence(self) -> str:
        return "window_held_by_another"


@dataclass(frozen=True, slots=True)
class CoolingDown(Refusal):
    """The unit lost the customer and may not claim it again yet."""

    until: datetime
    lost_plan: str
    code: ClassVar[str] = "cooling_down"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class AlreadyFiled(Refusal):
    """The same unit and manager already have a plan for the customer under review."""

    plan_id: str
    code: ClassVar[str] = "already_filed"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class WrongState(Refusal):
    """The plan's state does not admit the command."""

    state: str
    needed: tuple[str, ...]
    code: ClassVar[str] = "wrong_state"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class AlreadyReviewed(Refusal):
    """The plan was reviewed before."""

    state: str
    decided_by: str
    decided_at: datetime
    code: ClassVar[str] = "already_decided"
    kind: ClassVar[Kind] = "conflict"

    def sentence(self) -> str:
        return "already_decided_plan"


@dataclass(frozen=True, slots=True)
class WindowOver(Refusal):
    """The window ended; its holder may no longer act."""

    ended_at: datetime
    code: ClassVar[str] = "window_over"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class OutsideSeason(Refusal):
    """A festival window that does not touch the festival's season; the next one is named."""

    festival: str
    first_day: date
    last_day: date
    season_first: date | None
    season_last: date | None
    code: ClassVar[str] = "outside_season"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {
            "festival": self.festival,
            "season_first": self.season_first,
            "season_last": self.season_last,
        }

    def sentence(self) -> str:
        return "outside_season" if self.season_first is None else "outside_season_next"


@dataclass(frozen=True, slots=True)
class FestivalNotReckoned(Refusal):
    """A festival window in a year for which the lunar calendar's tables have no day."""

    festival: str
    year: int
    code: ClassVar[str] = "festival_not_reckoned"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class NotSignificant(Refusal):
    """No extension without significant progress."""

    code: ClassVar[str] = "not_significant"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class AlreadyExtended(Refusal):
    """A window is extended at most so many times."""

    until: datetime
    extensions_max: int
    code: ClassVar[str] = "already_extended"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {"until": self.until}


@dataclass(frozen=True, slots=True)
class BadExtension(Refusal):
    """The day asked for lies outside what an extension may reach; the first and the last possible day."""

    first: date
    last: date
    code: ClassVar[str] = "bad_extension"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class OpensTooEarly(Refusal):
    """A window cannot open on a day that is over."""

    today: date
    code: ClassVar[str] = "opens_too_early"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class NotFirst(Refusal):
    """Others go first by the published rules, and the centre gave no reason for departing from them."""

    before: tuple[str, ...]
    code: ClassVar[str] = "reason_required"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class UnknownUnit(Refusal):
    """Claims has not heard of the unit, or it is closed."""

    unit_code: str
    code: ClassVar[str] = "unknown_unit"
    kind: ClassVar[Kind] = "invalid"

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class UnknownCustomer(Refusal):
    """Claims has not heard of the customer (yet)."""

    customer_code: str
    code: ClassVar[str] = "unknown_customer"
    kind: ClassVar[Kind] = "invalid"

    def members(self) -> Mapping[str, Any]:
        return {}

    def sentence(self) -> str:
        return "unknown_customer_yet"


@dataclass(frozen=True, slots=True)
class MergedInto(Refusal):
    """The customer was merged into another."""

    merged_into: str
    code: ClassVar[str] = "merged_into"
    kind: ClassVar[Kind] = "conflict"

    def sentence(self) -> str:
        return "merged_into_claims"


@dataclass(frozen=True, slots=True)
class CustomerNotActive(Refusal):
    """The customer is no longer active."""

    status_of_customer: str
    code: ClassVar[str] = "customer_not_active"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class BadCreditCode(Refusal):
    """The prospect's credit code is none."""

    code: ClassVar[str] = "bad_credit_code"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class OwnRequest(Refusal):
    """Nobody decides their own request."""

    code: ClassVar[str] = "own_request"
    kind: ClassVar[Kind] = "forbidden"


@dataclass(frozen=True, slots=True)
class UnknownPlan(Refusal):
    """There is no such plan, or none that the caller may see."""

    code: ClassVar[str] = "unknown_plan"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class UnknownCase(Refusal):
    """There is no such case, or none that the caller may see."""

    code: ClassVar[str] = "unknown_case"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class NoWindow(Refusal):
    """Nobody holds a window of the customer."""

    code: ClassVar[str] = "no_window"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class CaseDecided(Refusal):
    """The case was decided before."""

    decision: str
    decided_by: str
    decided_at: datetime
    code: ClassVar[str] = "already_decided"
    kind: ClassVar[Kind] = "conflict"

    def sentence(self) -> str:
        return "already_decided_case"
