"""What tiering refuses, as values; their sentences stand in `shared/texts/words/problems_tiering.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from shared.kernel.refusals import Kind, Refusal


class _Silent(Refusal):
    """A refusal whose values are shown in its sentence and are no members of the answer."""

    __slots__ = ()

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class YearNotOver(Refusal):
    """A year that is not over cannot be closed."""

    year: int
    code: ClassVar[str] = "year_not_over"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class EarlierYearOpen(Refusal):
    """An earlier year has bookings and is still open; `year` is that one."""

    year: int
    code: ClassVar[str] = "earlier_year_open"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class NotClosed(_Silent):
    """The period has not been closed."""

    period: str
    code: ClassVar[str] = "not_closed"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class NoQuarterlyScheme(Refusal):
    """A quarter cannot be closed while no scheme is evaluated by quarter."""

    code: ClassVar[str] = "no_quarterly_scheme"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class BadPeriod(Refusal):
    """A period that is no year."""

    code: ClassVar[str] = "bad_period"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class NotInSuspense(_Silent):
    """No transaction of this number is in suspense within the caller's scope."""

    number: int
    code: ClassVar[str] = "not_in_suspense"
    kind: ClassVar[Kind] = "unknown"

    def sentence(self) -> str:
        return "not_in_suspense_number"


@dataclass(frozen=True, slots=True)
class NotHeldAnyMore(_Silent):
    """The transaction has been booked or decided already."""

    number: int
    code: ClassVar[str] = "already_decided"
    kind: ClassVar[Kind] = "conflict"

    def sentence(self) -> str:
        return "already_decided_suspense"


@dataclass(frozen=True, slots=True)
class NotForReason(Refusal):
    """The decision is not one of those that the reason of holding allows."""

    reason: str
    decision: str
    allowed: tuple[str, ...]
    code: ClassVar[str] = "not_for_reason"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {"allowed": self.allowed}


@dataclass(frozen=True, slots=True)
class UnknownScheme(_Silent):
    """There is no scheme of this code."""

    scheme: str
    code: ClassVar[str] = "unknown_scheme"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class UnknownCustomer(_Silent):
    """No customer with this code is known within the caller's scope."""

    customer_code: str
    code: ClassVar[str] = "unknown_customer"
    kind: ClassVar[Kind] = "unknown"

    def sentence(self) -> str:
        return "unknown_customer_code"


@dataclass(frozen=True, slots=True)
class BadFeedCursor(Refusal):
    """A cursor that the feed of tier changes did not give out."""

    code: ClassVar[str] = "bad_cursor"
    kind: ClassVar[Kind] = "malformed"

    def sentence(self) -> str:
        return "bad_cursor_feed"


@dataclass(frozen=True, slots=True)
class NoArray(Refusal):
    """A body that is no JSON array."""

    code: ClassVar[str] = "not_json"
    kind: ClassVar[Kind] = "malformed"

    def sentence(self) -> str:
        return "not_json_array"


@dataclass(frozen=True, slots=True)
class TooManyItems(Refusal):
    """More transactions than one call takes."""

    items_max: int
    code: ClassVar[str] = "too_many_items"
    kind: ClassVar[Kind] = "invalid"
