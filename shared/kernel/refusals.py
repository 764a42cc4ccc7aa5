"""A refusal: why a command or a request is not done, as a value with a stable code and the numbers that the answer carries.

A rule returns one, or names one in an exception; nobody writes a sentence for it there. The words stand once, in both
languages, in the catalogue under `problem.<code>`; whoever answers (HTTP, command line, console) fills the members in. A
handler's return type names the refusals it can give, so that the type checker sees that each is answered and the interface's
description lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

Kind = Literal[
    "malformed",
    "unauthenticated",
    "forbidden",
    "unknown",
    "conflict",
    "stale",
    "too_large",
    "wrong_medium",
    "invalid",
    "precondition",
    "too_many",
    "fault",
    "upstream",
    "unavailable",
]
"""What sort of no it is; an interface turns it into its own signs (HTTP: a status)."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name in both languages, as data such as units carry it; a sentence shows that of its language."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Base of all refusals. A subclass is a frozen dataclass with `code` and `kind`; its fields are the members of the
    answer, in JSON terms (codes, numbers, ISO dates, instants)."""

    code: ClassVar[str]
    kind: ClassVar[Kind]

    def members(self) -> Mapping[str, Any]:
        """What programs read beside the code: the fields."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def values(self) -> Mapping[str, Any]:
        """What its sentence shows: the fields too, where no other ones are said."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def sentence(self) -> str:
        """The key of its sentence in the catalogue, below `problem.`: the code, where one sentence serves all its cases."""
        return self.code


@dataclass(frozen=True, slots=True)
class Fault:
    """A field that breaks a rule of ours: where (a JSON pointer), and which rule by a stable code. `word` is the key of its
    words below `field_fault.` where they are not those of the code."""

    pointer: str
    code: str
    word: str | None = None


@dataclass(frozen=True, slots=True)
class BrokenFields(Refusal):
    """Every field that breaks a rule of ours, at once. Whoever answers adds the words of each."""

    errors: tuple[Fault, ...]
    code: ClassVar[str] = "invalid_fields"
    kind: ClassVar[Kind] = "invalid"
