"""Signs that a declared customer may be one that is known already (REG-6).

The same credit code blocks. A similar name, the same address or the same telephone number only warns: the candidates are
shown side by side. Somebody who may not see a candidate learns which unit holds it, and nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from services.registry.domain.declarations import Contact, Content
from services.registry.domain.names import similarity_key

Sign = Literal["name", "address", "phone"]
CANDIDATES_MAX: Final = 20

_NOT_TELLING: Final = re.compile(r"[\s,，.。、;；:：()#＃-]+")
_DIGITS_MIN: Final = 7
"""Shorter numbers are extensions or service numbers, which many share."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a declaration is compared by. An empty address and no phones match nothing."""

    name: str
    address: str
    phones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A customer, or a declaration that has not led to one, that shares a sign."""

    kind: Literal["customer", "declaration"]
    id: str
    name: str
    uscc: str | None
    address: str | None
    state: str
    unit_code: str
    unit_path: str
    managers: tuple[str | None, ...]
    signs: tuple[Sign, ...]


def keys_of(content: Content) -> Keys:
    """What this content is compared by."""
    return Keys(similarity_key(content.name), address_key(content.address), phone_keys(content.contacts))


def address_key(address: str | None) -> str:
    """An address without width, blanks and punctuation; empty for one that says too little to compare."""
    folded = unicodedata.normalize("NFKC", address or "").casefold()
    key = _NOT_TELLING.sub("", folded)
    return key if len(key) >= 6 else ""


def phone_keys(contacts: Iterable[Contact]) -> tuple[str, ...]:
    """The numbers of all contacts as digits, without the country's prefix."""
    found = set()
    for contact in contacts:
        digits = re.sub(r"[^0-9]", "", unicodedata.normalize("NFKC", contact.phone or ""))
        digits = digits.removeprefix("0086") if len(digits) > 13 else digits
        digits = digits.removeprefix("86") if len(digits) > 11 else digits
        if len(digits) >= _DIGITS_MIN:
            found.add(digits)
    return tuple(sorted(found))


def signs(ours: Keys, theirs: Keys) -> tuple[Sign, ...]:
    """Which signs two have in common."""
    found: Mapping[Sign, bool] = {
        "name": ours.name == theirs.name,
        "address": bool(ours.address) and ours.address == theirs.address,
        "phone": bool(set(ours.phones) & set(theirs.phones)),
    }
    return tuple(sign for sign, holds in found.items() if holds)
