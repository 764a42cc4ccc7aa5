"""Counter-local codes and the customers they mean (REG-10, S0 art.11).

Counters make up their codes themselves, so that two cities may use one code for two customers. A mapping therefore
belongs to a code and a scope: the counters of a unit, one counter, or all counters (ADR 12). Within a scope a code means
exactly one customer on any business day: such mappings never overlap. Of several scopes that cover a counter the narrowest
holds, so that at each counter a code means one customer at a time.

A mapping without a first day has always held, one without a last day still holds. A code of the registry means its own
customer and is never mapped. A mapping whose last day lies before its first was taken back and means nobody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar, Final

from shared.kernel.refusals import Kind, Named, Refusal

CODE_LENGTH_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class CodeMapping:
    """One code of one customer from `valid_from` to `valid_to`, both days included. `id` 0 is not stored yet."""

    id: int
    code: str
    customer_code: str
    valid_from: date | None = None
    valid_to: date | None = None
    version: int = 1
    unit_code: str | None = None
    """It holds for the counters of this unit alone."""
    counter_id: str | None = None
    """It holds for this counter alone. Neither is set where it holds for all counters."""

    @property
    def scope(self) -> tuple[str | None, str | None]:
        return self.unit_code, self.counter_id

    @property
    def taken_back(self) -> bool:
        return self.valid_from is not None and self.valid_to is not None and self.valid_to < self.valid_from

    def overlaps(self, other: CodeMapping) -> bool:
        """Whether there is a day on which both hold in one scope."""
        if self.scope != other.scope or self.taken_back or other.taken_back:
            return False
        starts_in_time = (
            other.valid_to is None or self.valid_from is None or self.valid_from <= other.valid_to
        )
        ends_late_enough = (
            self.valid_to is None or other.valid_from is None or other.valid_from <= self.valid_to
        )
        return starts_in_time and ends_late_enough

    def same_as(self, other: CodeMapping) -> bool:
        return (self.code, self.scope, self.customer_code, self.valid_from, self.valid_to) == (
            other.code,
            other.scope,
            other.customer_code,
            other.valid_from,
            other.valid_to,
        )


@dataclass(frozen=True, slots=True)
class BadCode(Refusal):
    """What no counter can send: a code has 1 to 32 printable characters."""

    code: ClassVar[str] = "bad_code"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class CodeIsRegistered(Refusal):
    """The registry gave or adopted this code; it means its own customer."""

    counter_code: str
    code: ClassVar[str] = "code_is_registered"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class ForeignCounters(Refusal):
    """The caller does not cover the counters for which the code is to mean a customer: those of a unit, a counter alone,
    or all where neither is named."""

    unit_code: str | None
    counter_id: str | None
    code: ClassVar[str] = "counters_out_of_scope"
    kind: ClassVar[Kind] = "forbidden"


@dataclass(frozen=True, slots=True)
class ForeignRange(Refusal):
    """The code lies in the range from which another city's codes are issued, and would use up its serial."""

    counter_code: str
    division: str
    unit_code: str
    code: ClassVar[str] = "code_range_foreign"
    kind: ClassVar[Kind] = "forbidden"

    def members(self) -> Mapping[str, Any]:
        return {"division": self.division, "unit_code": self.unit_code}


@dataclass(frozen=True, slots=True)
class EndsBeforeStart(Refusal):
    """The last day lies before the first."""

    valid_from: date
    code: ClassVar[str] = "ends_before_start"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a code means already on some of the days asked for."""

    mappings: tuple[CodeMapping, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One of the things that a code means already, as it is shown to who wanted another. Of a customer whom they may not see
    only the unit is told: who holds it, not what."""

    customer_code: str | None
    name: str | None
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    valid_from: date | None
    valid_to: date | None

    @property
    def holder(self) -> str | Named:
        return self.customer_code or Named(self.unit_name_zh, self.unit_name_en)


@dataclass(frozen=True, slots=True)
class MappedElsewhere(Refusal):
    """On some of these days the code has a meaning already."""

    counter_code: str
    mappings: tuple[Meaning, ...]
    code: ClassVar[str] = "code_mapped_elsewhere"
    kind: ClassVar[Kind] = "conflict"

    def members(self) -> Mapping[str, Any]:
        return {"mappings": self.mappings}

    def values(self) -> Mapping[str, Any]:
        first, last = self.mappings[0].valid_from, self.mappings[0].valid_to
        return {
            "counter_code": self.counter_code,
            "holders": [each.holder for each in self.mappings],
            "first": "always" if first is None else first.isoformat(),
            "last": "for_good" if last is None else last.isoformat(),
        }

    def sentence(self) -> str:
        if len(self.mappings) > 1:
            return "code_mapped_elsewhere_several"
        return (
            "code_mapped_elsewhere"
            if self.mappings[0].customer_code
            else "code_mapped_elsewhere_out_of_scope"
        )


@dataclass(frozen=True, slots=True)
class UnknownMapping(Refusal):
    """There is no mapping of this number, or none that the caller may know of."""

    id: int
    code: ClassVar[str] = "unknown_mapping"
    kind: ClassVar[Kind] = "unknown"

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class MappingEnded(Refusal):
    """The mapping ends earlier already; to go on, the code is mapped anew."""

    valid_to: date
    code: ClassVar[str] = "mapping_already_ended"
    kind: ClassVar[Kind] = "conflict"


def clean_counter_code(text: str) -> str | None:
    """The code in the form in which counters' codes are compared (NFC), or None if no counter can send it.

    Unlike the codes of customers it is taken as it is: a counter that sends blanks or full-width digits is
    mapped by just these.
    """
    code = unicodedata.normalize("NFC", text)
    return code if 1 <= len(code) <= CODE_LENGTH_MAX and code.isprintable() and code.strip() else None


def map_code(wanted: CodeMapping, known: Iterable[CodeMapping]) -> CodeMapping | Overlap | EndsBeforeStart:
    """The mapping to store, or the one that says just this already. `known` are all mappings of the code."""
    if wanted.valid_from is not None and wanted.taken_back:
        return EndsBeforeStart(wanted.valid_from)
    known = list(known)
    for each in known:
        if wanted.same_as(each):
            return each
    meeting = tuple(each for each in known if wanted.overlaps(each))
    return Overlap(meeting) if meeting else wanted


def end_mapping(mapping: CodeMapping, valid_to: date) -> CodeMapping | MappingEnded:
    """The mapping with an earlier last day. A day before its first takes it back altogether."""
    if mapping.valid_to == valid_to:
        return mapping
    if mapping.valid_to is not None and mapping.valid_to < valid_to:
        return MappingEnded(mapping.valid_to)
    return replace(mapping, valid_to=valid_to, version=mapping.version + 1)


def holding(mappings: Sequence[CodeMapping]) -> tuple[CodeMapping, ...]:
    """Those that mean a customer on some day, by code and first day: what is told to others."""
    return tuple(
        sorted(
            (each for each in mappings if not each.taken_back),
            key=lambda each: (each.code, *map(_first, each.scope), each.valid_from or date.min, each.id),
        )
    )


def _first(name: str | None) -> str:
    """No name comes before every name."""
    return name or ""
