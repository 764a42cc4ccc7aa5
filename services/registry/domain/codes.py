"""How customer codes are built, issued and adopted.

Rule (REG-4): the system alone assigns a customer's code; it is unique for ever, never reused and never
edited, and every serial that no customer got is explained. The structure is a versioned scheme (data).
The shipped default is 6 digits division, 6 digits serial, 1 check digit; it is labelled "project
default, not the text of the standard", because the standard the rules ask for (YZ/T 0030-2005) was not
to be had.

An adopted (legacy) code is valid as it stands. One that falls inside an issuing range makes its serial
skipped for ever.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

CODE_LENGTH_MAX: Final = 32
"""Elsewhere a code is an opaque string of 1 to 32 printable characters (the contract of counter
transactions)."""


@dataclass(frozen=True, slots=True)
class CodeScheme:
    """One version of the structure of codes. `issuing` schemes build codes; the others only
    recognise adopted ones."""

    id: str
    label_en: str
    label_zh: str
    issuing: bool
    division_digits: int = 0
    serial_digits: int = 0
    pattern: str | None = None

    @property
    def capacity(self) -> int:
        """The highest serial of one range; serials start at 1."""
        return int(10**self.serial_digits) - 1


@dataclass(frozen=True, slots=True)
class RangeExhausted:
    """Refusal: a division has no serial left under its scheme."""

    scheme: str
    division: str
    capacity: int


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code that the system made, with the serial it used up."""

    code: str
    scheme: str
    division: str
    serial: int


def check_digit(number: str) -> str:
    """The check digit of a string of digits by ISO 7064 mod 11,10."""
    check = 5
    for digit in number:
        check = (((check or 10) * 2) % 11 + int(digit)) % 10
    return str((1 - ((check or 10) * 2) % 11) % 10)


def build_code(scheme: CodeScheme, division: str, serial: int) -> str:
    """The code of one serial of a division. Raises ValueError for a serial or division the scheme
    has no place for."""
    if not scheme.issuing or not 1 <= serial <= scheme.capacity:
        raise ValueError(f"Scheme {scheme.id} has no serial {serial}.")
    if len(division) != scheme.division_digits or not (division.isascii() and division.isdigit()):
        raise ValueError(f"{division!r} is no division of {scheme.division_digits} digits.")
    body = f"{division}{serial:0{scheme.serial_digits}d}"
    return body + check_digit(body)


def slot_of(scheme: CodeScheme, code: str) -> tuple[str, int] | None:
    """The (division, serial) that a code occupies in an issuing scheme, whatever its last digit is; None
    if it has none.

    The check digit plays no part: a legacy code with another last digit would still be mistaken for its
    neighbour.
    """
    length = scheme.division_digits + scheme.serial_digits + 1
    if not scheme.issuing or len(code) != length or not (code.isascii() and code.isdigit()):
        return None
    serial = int(code[scheme.division_digits : -1])
    return (code[: scheme.division_digits], serial) if serial else None


def clean_code(text: str) -> str | None:
    """A legacy code in the form in which codes are compared (NFC, outer blanks removed), or None if it
    cannot be one.

    Refused: more than 32 characters, control or other unprintable characters, blanks inside, and
    compatibility forms such as full-width digits, which look like an issued code and are not equal to
    it.
    """
    code = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(code) <= CODE_LENGTH_MAX or not code.isprintable() or " " in code:
        return None
    return code if unicodedata.normalize("NFKC", code) == code else None


def scheme_of_adopted(schemes: Sequence[CodeScheme], code: str) -> CodeScheme | None:
    """The first scheme that recognises adopted codes of this form."""
    for scheme in schemes:
        if not scheme.issuing and scheme.pattern is not None and re.fullmatch(scheme.pattern, code):
            return scheme
    return None


@dataclass(slots=True)
class SerialRange:
    """The serials of one division under one scheme: how far they are issued, and which are never to be.

    It is a working copy of rows that the surrounding transaction has locked, so that taking a serial
    here and storing the new `last` there is one step, and a transaction that fails leaves no gap.
    """

    scheme: CodeScheme
    division: str
    last: int = 0
    skipped: set[int] = field(default_factory=set)

    def skip(self, serial: int) -> bool:
        """Makes a serial that is still to come never be issued; False where it lies behind."""
        if serial <= self.last:
            return False
        self.skipped.add(serial)
        return True

    def take(self) -> IssuedCode | RangeExhausted:
        """The next free serial; skipped ones are passed over."""
        serial = self.last + 1
        while serial in self.skipped:
            serial += 1
        if serial > self.scheme.capacity:
            return RangeExhausted(self.scheme.id, self.division, self.scheme.capacity)
        self.last = serial
        return IssuedCode(
            build_code(self.scheme, self.division, serial), self.scheme.id, self.division, serial
        )


MARKS: Final = (90, 99)
"""Percent of a range's serials after which somebody is told that it runs out."""


def passed_marks(serials: SerialRange, last_before: int) -> list[int]:
    """The marks that a range has passed since `last_before` was its last serial."""
    marks = ((percent, -(-serials.scheme.capacity * percent // 100)) for percent in MARKS)
    return [percent for percent, serial in marks if last_before < serial <= serials.last]
