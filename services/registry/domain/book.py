"""The customers that some registrations may meet, findable by every identity that a customer has.

Nothing here stores: the book is a working copy of what the surrounding transaction has locked, so that several registrations
are decided one after the other, each seeing what those before it did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from services.registry.domain.codes import SerialRange
from services.registry.domain.customers import Customer
from services.registry.domain.names import identity_key, similarity_key

SIMILAR_MAX: Final = 10
"""So many candidates are shown; a file of a thousand equal names must not list a million pairs."""


@dataclass(slots=True)
class Book:
    """The customers that a chunk may touch, findable by every identity a row can have, and the serials
    to issue from.

    Customers are added in the order of their registration, which decides between several of one name.
    """

    ranges: dict[str, SerialRange] = field(default_factory=dict)
    by_code: dict[str, Customer] = field(default_factory=dict)
    _by_uscc: dict[str, str] = field(default_factory=dict)
    _by_identity: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _by_similarity: dict[str, list[str]] = field(default_factory=dict)
    mapped: set[str] = field(default_factory=set)
    """Codes of the rows that counters use for a customer: they mean that one and cannot be adopted for another."""

    def add(self, customer: Customer) -> None:
        """Adds a customer, or puts its new state in the place of the one known."""
        if customer.code not in self.by_code:
            identity = (identity_key(customer.name), customer.unit_code)
            self._by_identity.setdefault(identity, []).append(customer.code)
            self.add_similar(similarity_key(customer.name), customer.code)
        self.by_code[customer.code] = customer
        if customer.uscc is not None:
            self._by_uscc[customer.uscc] = customer.code

    def add_similar(self, key: str, code: str) -> None:
        """Notes that a customer, in the book or not, has a name of this similarity key."""
        codes = self._by_similarity.setdefault(key, [])
        if len(codes) <= SIMILAR_MAX and code not in codes:
            codes.append(code)

    def holder_of(self, uscc: str) -> Customer | None:
        code = self._by_uscc.get(uscc)
        return None if code is None else self.by_code[code]

    def named(self, name: str, unit_code: str) -> Customer | None:
        """The customer that a row with nothing but a name and a unit means.

        One in good standing goes before others, one that has no credit code either before those that have,
        and else the first registered: the choice must be the same whenever the file is read again.
        """
        found = [self.by_code[code] for code in self._by_identity.get((identity_key(name), unit_code), ())]
        return min(found, key=lambda each: (each.status != "active", each.uscc is not None), default=None)

    def similar_to(self, name: str) -> tuple[str, ...]:
        return tuple(self._by_similarity.get(similarity_key(name), ()))
