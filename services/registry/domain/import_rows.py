"""A row of a book of customers, read: fields as people and spreadsheets write them, or every reason why they cannot be read
(contract "Files", customers)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from services.registry.domain.codes import clean_code
from services.registry.domain.customers import Kind
from services.registry.domain.names import clean_name
from services.registry.domain.organisation import Unit
from services.registry.domain.registering import Registrant, Term
from shared.kernel.credit_codes import clean_uscc
from shared.kernel.days import within_range
from shared.kernel.writing import FOREVER, folded, read_day

FIELDS: Final = (
    "name", "customer_code", "uscc", "unit_code", "division", "industry", "kind",
    "agreement_no", "agreement_signed_on", "agreement_ends_on", "manager_a", "manager_b",
)  # fmt: skip

T = TypeVar("T")

_MANAGER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}")
_KINDS: Final[Mapping[str, Kind]] = {
    "potential": "potential", "active": "active", "existing": "active",
    "潜在": "potential", "潜在客户": "potential", "现实": "active", "现实客户": "active",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """What the fields of a row may name."""

    units: Mapping[str, Unit]
    divisions: frozenset[str]
    managers: Mapping[str, str]
    """User names of staff, and their unambiguous names, to user names."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row whose fields have been read; a blank is None. `open_ended`: the row says that its agreement has no end,
    where a blank end says nothing."""

    row: int
    name: str
    customer_code: str | None = None
    uscc: str | None = None
    unit_code: str | None = None
    division: str | None = None
    industry: str | None = None
    kind: Kind | None = None
    agreement_no: str | None = None
    signed_on: date | None = None
    ends_on: date | None = None
    manager_a: str | None = None
    manager_b: str | None = None
    open_ended: bool = False

    def registrant(self, default_unit: str) -> Registrant:
        """Who this row registers where it is nobody known."""
        term: Term | None = None
        if self.agreement_no is not None and self.signed_on is not None:
            term = Term(self.agreement_no, self.signed_on, self.ends_on)
        return Registrant(
            name=self.name,
            unit_code=self.unit_code or default_unit,
            customer_code=self.customer_code,
            uscc=self.uscc,
            division=self.division,
            industry=self.industry,
            kind=self.kind or "potential",
            manager_a=self.manager_a,
            manager_b=self.manager_b,
            agreement=term,
        )


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is not loaded, with every reason found; reasons are stable codes."""

    row: int
    reasons: tuple[str, ...]
    code: str | None = None


class _Fields:
    """The cells of a row, taken one by one; what cannot be read is noted."""

    def __init__(self, values: Mapping[str, str | None]) -> None:
        self.given = {name: text for name in FIELDS if (text := (values.get(name) or "").strip())}
        self.problems: list[str] = []

    def take(self, name: str, read: Callable[[str], T | None], problem: str | None = None) -> T | None:
        text = self.given.get(name)
        if text is None:
            return None
        value = read(text)
        if value is None:
            self.problems.append(problem or f"bad_{name}")
        return value


def read_row(row: int, values: Mapping[str, str | None], words: Words) -> ImportRow | Rejected:
    """The fields of one row, or all the reasons why they cannot be read. Unknown columns are ignored."""
    fields = _Fields(values)
    take, given = fields.take, fields.given
    if "name" not in given:
        fields.problems.append("missing_name")
    name = take("name", clean_name)
    code = take("customer_code", clean_code, "bad_code")
    uscc = take("uscc", clean_uscc)
    unit_code = take("unit_code", lambda text: text if text in words.units else None, "unknown_unit")
    division = take("division", lambda text: _division(text, words), "unknown_division")
    industry = take("industry", _short_text)
    kind: Kind | None = take("kind", lambda text: _KINDS.get(folded(text).casefold()))
    agreement_no = take("agreement_no", _short_text)
    signed_on = take("agreement_signed_on", _day)
    ends_on = take("agreement_ends_on", _last_day)
    manager_a = take("manager_a", lambda text: _manager(text, words))
    manager_b = take("manager_b", lambda text: _manager(text, words))
    if "agreement_no" not in given and ("agreement_signed_on" in given or "agreement_ends_on" in given):
        fields.problems.append("missing_agreement_no")
    if signed_on is not None and ends_on is not None and ends_on < signed_on:
        fields.problems.append("agreement_ends_before_signed")
    if fields.problems or name is None:
        return Rejected(row, tuple(fields.problems))
    return ImportRow(
        row,
        name,
        code,
        uscc,
        unit_code,
        division,
        industry,
        kind,
        agreement_no,
        signed_on,
        None if ends_on == FOREVER else ends_on,
        manager_a,
        manager_b,
        open_ended=ends_on == FOREVER,
    )


def _day(text: str) -> date | None:
    day = read_day(text)
    return day if day is not None and within_range(day) else None


def _last_day(text: str) -> date | None:
    day = read_day(text)
    return day if day is not None and (day == FOREVER or within_range(day)) else None


def _short_text(text: str) -> str | None:
    cleaned = unicodedata.normalize("NFC", text).strip()
    return cleaned if len(cleaned) <= 64 and cleaned.isprintable() else None


def _division(text: str, words: Words) -> str | None:
    code = text.ljust(6, "0") if len(text) in (2, 4) else text
    return code if code in words.divisions else None


def _manager(text: str, words: Words) -> str | None:
    return words.managers.get(text) or (text if _MANAGER.fullmatch(text) else None)
