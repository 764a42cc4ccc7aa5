"""Why a step of a declaration or a delegation is refused; the sentences for people stand in the catalogue of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from shared.kernel.refusals import Kind, Named, Refusal


@dataclass(frozen=True, slots=True)
class UnknownDeclaration(Refusal):
    """There is no such declaration, or none that the caller may know of."""

    code: ClassVar[str] = "unknown_declaration"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class NotDeclarer(Refusal):
    """Only who declared it changes it, hands it in and takes it back."""

    code: ClassVar[str] = "not_declarer"
    kind: ClassVar[Kind] = "forbidden"


@dataclass(frozen=True, slots=True)
class OwnRequest(Refusal):
    """Nobody pre-reviews or decides what they declared themselves."""

    code: ClassVar[str] = "own_request"
    kind: ClassVar[Kind] = "forbidden"

    def sentence(self) -> str:
        return "own_request_declaration"


@dataclass(frozen=True, slots=True)
class OwnCustomer(Refusal):
    """Nobody decides by delegation about a customer whose manager they are or shall be."""

    code: ClassVar[str] = "own_customer"
    kind: ClassVar[Kind] = "forbidden"


@dataclass(frozen=True, slots=True)
class AlreadyDecided(Refusal):
    """It is decided: by whom, when, and the customer that came of it."""

    state: str
    decided_by: str | None
    decided_at: datetime | None
    customer_code: str | None
    code: ClassVar[str] = "already_decided"
    kind: ClassVar[Kind] = "conflict"

    def sentence(self) -> str:
        outcome = "rejected" if self.customer_code is None else "approved"
        return f"already_decided_declaration_{outcome}"


@dataclass(frozen=True, slots=True)
class NotEditable(Refusal):
    """Only a draft or a returned declaration is changed."""

    state: str
    waiting_for: str | None
    code: ClassVar[str] = "not_editable"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class NotSubmittable(Refusal):
    """Only a draft or a returned declaration is handed in."""

    state: str
    waiting_for: str | None
    code: ClassVar[str] = "not_submittable"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class NotWithdrawable(Refusal):
    """It has ended."""

    state: str
    waiting_for: str | None
    code: ClassVar[str] = "not_withdrawable"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class NotInPreReview(Refusal):
    """It does not wait for a pre-review."""

    state: str
    waiting_for: str | None
    code: ClassVar[str] = "not_in_pre_review"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class NotAtCentre(Refusal):
    """It does not wait for the centre."""

    state: str
    waiting_for: str | None
    code: ClassVar[str] = "not_at_centre"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class UnitFixed(Refusal):
    """A returned declaration stays with the unit that it was declared for."""

    unit_code: str
    code: ClassVar[str] = "unit_fixed"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class SingleManager(Refusal):
    """Managers A and B would be one person."""

    manager: str
    code: ClassVar[str] = "single_manager"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class DuplicateCreditCode(Refusal):
    """A customer has this credit code. Which one is told only to those who may see it: None to everybody else."""

    holder_unit: str
    holder_name_zh: str
    holder_name_en: str
    customer_code: str | None = None
    name: str | None = None
    code: ClassVar[str] = "duplicate_credit_code"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return _known(Refusal.members(self))

    def values(self) -> Mapping[str, Any]:
        return {"holder": Named(self.holder_name_zh, self.holder_name_en)}


@dataclass(frozen=True, slots=True)
class DeclaredEarlier(Refusal):
    """The customer of this credit code is declared already. By which declaration is told only to those who may see it:
    None to everybody else."""

    holder_unit: str
    holder_name_zh: str
    holder_name_en: str
    declaration_id: str | None = None
    name: str | None = None
    code: ClassVar[str] = "declared_earlier"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return _known(Refusal.members(self))

    def values(self) -> Mapping[str, Any]:
        return {"holder": Named(self.holder_name_zh, self.holder_name_en)}


@dataclass(frozen=True, slots=True)
class ClosedUnit(Refusal):
    """The unit that it was declared for is closed."""

    reasons: tuple[str, ...]
    code: ClassVar[str] = "closed_unit"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class UnitWithoutDivision(Refusal):
    """The unit belongs to no division that codes are assigned in."""

    reasons: tuple[str, ...]
    code: ClassVar[str] = "unit_without_division"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class RangeExhausted(Refusal):
    """The division has no code left."""

    reasons: tuple[str, ...]
    code: ClassVar[str] = "range_exhausted"
    kind: ClassVar[Kind] = "conflict"


NoCode = ClosedUnit | UnitWithoutDivision | RangeExhausted
NO_CODE: Final[Mapping[str, type[NoCode]]] = {
    each.code: each for each in (ClosedUnit, UnitWithoutDivision, RangeExhausted)
}
"""Why an approved customer cannot be registered, by the reason that registering gives."""


@dataclass(frozen=True, slots=True)
class UnknownDelegation(Refusal):
    """There is no such delegation."""

    code: ClassVar[str] = "unknown_delegation"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class NotDelegator(Refusal):
    """A deputy does not end the delegation that they hold."""

    code: ClassVar[str] = "not_delegator"
    kind: ClassVar[Kind] = "forbidden"


def _known(members: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
