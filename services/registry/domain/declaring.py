"""What a declarer says about a customer, read and checked (REG-1).

A declaration needs a name and a unit; what else a decider will ask for is said in advance. Whatever is given must be
sound: a credit code by its check character (GB 32100-2015), a division of GB/T 2260, staff as managers, and two people
where two managers are named, because nobody holds a customer alone (S1 art.11(1)).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from services.registry.domain.declarations import Contact, Content, Declaration, DeclaredBy
from services.registry.domain.names import clean_name
from services.registry.domain.organisation import Unit
from shared.kernel.credit_codes import clean_uscc
from shared.kernel.lines import LINES
from shared.kernel.refusals import Fault

CONTACTS_MAX: Final = 20
TEXT_MAX: Final = 64
ADDRESS_MAX: Final = 200
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()/-]{4,30}(?:[a-z转#]{1,5}[0-9]{1,6})?", re.IGNORECASE)
_Clean = Callable[[str], str | None]
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,185}\.[^@\s.]{2,63}")

REQUIRED: Final = ("name", "unit_code")
ADVISED: Final = (
    "uscc",
    "expected_lines",
    "industry",
    "address",
    "division",
    "contacts",
    "expected_yearly_revenue",
    "manager_a",
    "manager_b",
)
"""What a decider will ask for, though nothing is refused for lack of it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A declaration's fields as they were sent: text is unread, blanks and absent fields are None."""

    name: str | None = None
    uscc: str | None = None
    nature: str | None = None
    industry: str | None = None
    address: str | None = None
    division: str | None = None
    contacts: tuple[Contact, ...] = ()
    expected_lines: tuple[str, ...] = ()
    expected_revenue_fen: int | None = None
    manager_a: str | None = None
    manager_b: str | None = None
    unit_code: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """The fields that could be read, and what is wrong with the others. `content` and `unit_code` are None where the
    name or the unit is missing or broken."""

    content: Content | None
    unit_code: str | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What fields are checked against."""

    units: Mapping[str, Unit]
    divisions: frozenset[str]
    managers: Mapping[str, str]
    """User names of staff, and their unambiguous names, to user names."""
    industries: Mapping[str, str]
    """Codes and names of GB/T 4754 to the code."""
    today: date


def said_again(found: Declaration, said: Said, changed: Collection[str]) -> Said:
    """What a declaration says, with the fields of `said` that are changed put in their places."""
    content = found.content
    before = Said(
        name=content.name,
        uscc=content.uscc,
        nature=content.nature,
        industry=content.industry,
        address=content.address,
        division=content.division,
        contacts=content.contacts,
        expected_lines=content.expected_lines,
        expected_revenue_fen=content.expected_revenue_fen,
        manager_a=content.manager_a,
        manager_b=content.manager_b,
        unit_code=found.unit_code,
    )
    return replace(before, **{field: getattr(said, field) for field in changed})


def missing(said: Said) -> tuple[str, ...]:
    """The fields without which there is no declaration."""
    return tuple(name for name in REQUIRED if not (getattr(said, name) or "").strip())


def advised(said: Said) -> tuple[str, ...]:
    """The fields that a decider will miss."""
    named = {"expected_yearly_revenue": "expected_revenue_fen"}
    return tuple(name for name in ADVISED if getattr(said, named.get(name, name)) in (None, "", ()))


def read(said: Said, knowledge: Knowledge, declared_by: DeclaredBy, declarer: str) -> Read:
    """All fields at once, with every fault there is. A manager who names nobody proposes themselves as A."""
    reader = _Reader(said, knowledge)
    for field in missing(said):
        reader.fault(field, f"missing_{field}")
    name = reader.text("name", clean_name, "bad_name")
    unit_code = reader.unit()
    manager_a, manager_b = reader.manager("manager_a"), reader.manager("manager_b")
    if manager_a is None and said.manager_a is None and declared_by == "manager" and manager_b != declarer:
        manager_a = declarer
    if manager_a is not None and manager_a == manager_b:
        reader.fault("manager_b", "single_manager")
    content = Content(
        name=name or "",
        uscc=reader.text("uscc", clean_uscc, "bad_uscc"),
        nature=reader.text("nature", lambda text: clean_text(text, TEXT_MAX), "bad_nature"),
        industry=reader.text(
            "industry", lambda text: industry_of(text, knowledge.industries), "unknown_industry"
        ),
        address=reader.text("address", lambda text: clean_text(text, ADDRESS_MAX), "bad_address"),
        division=reader.text(
            "division", lambda text: _division(text, knowledge.divisions), "unknown_division"
        ),
        contacts=reader.contacts(),
        expected_lines=tuple(line for line in LINES if line in said.expected_lines),
        expected_revenue_fen=said.expected_revenue_fen,
        manager_a=manager_a,
        manager_b=manager_b,
    )
    return Read(None if name is None else content, unit_code, tuple(reader.faults))


def clean_text(text: str, length_max: int) -> str | None:
    """Text in NFC with single blanks, or None if it is too long or not printable."""
    clean = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()
    return clean if 1 <= len(clean) <= length_max and clean.isprintable() else None


def industry_of(text: str, industries: Mapping[str, str]) -> str | None:
    """The code of a category of GB/T 4754 named by its code or its name.

    The list goes as far as divisions (大类); a group or class (three or four digits) is known by its division.
    """
    key = "".join(unicodedata.normalize("NFKC", text).split()).upper()
    if key in industries:
        return industries[key]
    digits = key[1:] if key[:1].isalpha() else key
    if len(digits) not in (3, 4) or not (digits.isascii() and digits.isdigit()):
        return None
    division = industries.get(digits[:2])
    if division is None or (digits != key and key[0] != division[0]):
        return None
    return f"{division}{digits[2:]}"


def _division(text: str, divisions: frozenset[str]) -> str | None:
    code = text.strip()
    code = code.ljust(6, "0") if len(code) in (2, 4) else code
    return code if code in divisions else None


class _Reader:
    """Reads the fields of one declaration and notes what is wrong with them."""

    def __init__(self, said: Said, knowledge: Knowledge) -> None:
        self._said = said
        self._knowledge = knowledge
        self.faults: list[Fault] = []

    def fault(self, field: str, code: str) -> None:
        self.faults.append(Fault(f"/{field}", code))

    def text(self, name: str, clean: _Clean, code: str) -> str | None:
        given: str | None = getattr(self._said, name)
        if given is None or not given.strip():
            return None
        value = clean(given)
        if value is None:
            self.fault(name, code)
        return value

    def unit(self) -> str | None:
        code = (self._said.unit_code or "").strip()
        if not code:
            return None
        unit = self._knowledge.units.get(code)
        if unit is None:
            self.fault("unit_code", "unknown_unit")
            return None
        if unit.valid_to is not None and unit.valid_to <= self._knowledge.today:
            self.fault("unit_code", "closed_unit")
            return None
        return code

    def manager(self, name: str) -> str | None:
        return self.text(name, lambda text: self._knowledge.managers.get(text.strip()), "unknown_manager")

    def contacts(self) -> tuple[Contact, ...]:
        found = []
        if len(self._said.contacts) > CONTACTS_MAX:
            self.fault("contacts", "too_many_contacts")
        for place, contact in enumerate(self._said.contacts[:CONTACTS_MAX]):
            at = f"contacts/{place}"
            name = clean_text(contact.name, TEXT_MAX)
            if name is None:
                self.fault(f"{at}/name", "bad_contact_name")
                continue
            phone = self._contact_part(f"{at}/phone", contact.phone, _PHONE, "bad_phone")
            email = self._contact_part(f"{at}/email", contact.email, _EMAIL, "bad_email")
            position = clean_text(contact.position, TEXT_MAX) if contact.position else None
            found.append(Contact(name, position, phone, email))
        return tuple(found)

    def _contact_part(self, at: str, given: str | None, form: re.Pattern[str], code: str) -> str | None:
        text = unicodedata.normalize("NFKC", given or "").strip()
        if not text:
            return None
        if form.fullmatch(text) is None:
            self.fault(at, code)
            return None
        return text
