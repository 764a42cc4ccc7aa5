"""What reporting refuses, the console included; words in `shared/texts/words/problems_reporting.py`.

What another service refuses is not among them: it is passed on as it came (`adapters.peers.PeerProblem`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from shared.kernel.refusals import Kind, Refusal


@dataclass(frozen=True, slots=True)
class UnknownCustomer(Refusal):
    """No such customer, or one outside the caller's scope: the answer is the same."""

    code: ClassVar[str] = "unknown_customer"
    kind: ClassVar[Kind] = "unknown"

    def sentence(self) -> str:
        return "unknown_customer_in_scope"


@dataclass(frozen=True, slots=True)
class UnknownMergeSides(Refusal):
    """Two codes that do not mean two customers in the caller's scope."""

    code: ClassVar[str] = "unknown_customer"
    kind: ClassVar[Kind] = "unknown"

    def sentence(self) -> str:
        return "unknown_customer_of_two"


@dataclass(frozen=True, slots=True)
class NotInSuspense(Refusal):
    """No such held transaction in the caller's scope."""

    code: ClassVar[str] = "not_in_suspense"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class UnknownRebuild(Refusal):
    """No rebuild of this number."""

    code: ClassVar[str] = "unknown_rebuild"
    kind: ClassVar[Kind] = "unknown"


@dataclass(frozen=True, slots=True)
class RebuildUnderWay(Refusal):
    """At most one rebuild at a time."""

    code: ClassVar[str] = "rebuild_under_way"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class MissingFilter(Refusal):
    """A table of one thing, and the filters that say of which are not there."""

    absent: Sequence[str]
    code: ClassVar[str] = "missing_filter"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class InvalidFilters(Refusal):
    """Filters in the address of a page that break their rules; `errors` has one entry for each."""

    errors: Sequence[Mapping[str, str]]
    code: ClassVar[str] = "invalid_fields"
    kind: ClassVar[Kind] = "invalid"

    def sentence(self) -> str:
        return "invalid_fields_filters"


@dataclass(frozen=True, slots=True)
class CorrectionNotJson(Refusal):
    """A dead letter corrected to something that is not JSON."""

    code: ClassVar[str] = "not_json"
    kind: ClassVar[Kind] = "invalid"

    def sentence(self) -> str:
        return "not_json_correction"


@dataclass(frozen=True, slots=True)
class UnreadableForm(Refusal):
    """A body that is no form."""

    code: ClassVar[str] = "bad_request"
    kind: ClassVar[Kind] = "malformed"

    def sentence(self) -> str:
        return "bad_request_form"


@dataclass(frozen=True, slots=True)
class StaleForm(Refusal):
    """A form of a session that has ended."""

    code: ClassVar[str] = "stale_form"
    kind: ClassVar[Kind] = "forbidden"


@dataclass(frozen=True, slots=True)
class OtherSite(Refusal):
    """A form on another site."""

    code: ClassVar[str] = "other_site"
    kind: ClassVar[Kind] = "forbidden"


@dataclass(frozen=True, slots=True)
class ServiceAway(Refusal):
    """Another service gives no answer; nobody knows whether it did what it was told."""

    service: str
    code: ClassVar[str] = "service_away"
    kind: ClassVar[Kind] = "unavailable"


@dataclass(frozen=True, slots=True)
class ServiceUnreadable(Refusal):
    """Another service gave an answer that is none of the contracts'."""

    service: str
    code: ClassVar[str] = "service_unreadable"
    kind: ClassVar[Kind] = "upstream"

    def members(self) -> Mapping[str, Any]:
        return {}
