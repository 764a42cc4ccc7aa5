"""Personal data as those see it who need not act on it (S3 art.19): enough to recognise, not enough to use.

Of a name its first character, of a telephone number at most the last four digits (and never so many that fewer than six
stay hidden), of an e-mail address its first character and its host, of an address its beginning. How long the hidden part
is does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from services.registry.domain.declarations import Contact, Content

_HIDDEN: Final = "***"
_DIGITS_SHOWN: Final = 4
_DIGITS_HIDDEN: Final = 6
_ADDRESS_SHOWN: Final = 3


def masked_name(name: str) -> str:
    return f"{name[:1]}{_HIDDEN}"


def masked_phone(phone: str) -> str:
    digits = [character for character in phone if character.isdigit()]
    shown = max(0, min(_DIGITS_SHOWN, len(digits) - _DIGITS_HIDDEN))
    return _HIDDEN + "".join(digits[len(digits) - shown :])


def masked_email(email: str) -> str:
    person, _, host = email.rpartition("@")
    return f"{person[:1]}{_HIDDEN}@{host}"


def masked_address(address: str) -> str:
    return f"{address[:_ADDRESS_SHOWN]}{_HIDDEN}"


def masked(content: Content) -> Content:
    """What is said about a customer, with its contacts and its address masked."""
    return replace(
        content,
        address=None if content.address is None else masked_address(content.address),
        contacts=tuple(_masked_contact(each) for each in content.contacts),
    )


def masked_record(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same for what a step of the record keeps."""
    address = content.get("address")
    return {
        **content,
        "address": None if address is None else masked_address(address),
        "contacts": [asdict(_masked_contact(Contact(**each))) for each in content.get("contacts") or []],
    }


def _masked_contact(contact: Contact) -> Contact:
    return replace(
        contact,
        name=masked_name(contact.name),
        phone=None if contact.phone is None else masked_phone(contact.phone),
        email=None if contact.email is None else masked_email(contact.email),
    )
