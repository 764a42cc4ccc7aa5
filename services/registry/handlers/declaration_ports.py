"""What the handlers of declarations need from the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.registry.domain.declaration_record import Step
from services.registry.domain.declarations import Content, Declaration, Note, Terms
from services.registry.domain.matching import Candidate
from services.registry.handlers.ports import Customers, Organisation, Organisations, Publish, Rules
from shared.auth.principals import Principal


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a credit code already: a customer, or a declaration that is open."""

    id: str
    name: str
    unit_code: str
    unit_path: str
    managers: tuple[str | None, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Delegation:
    """Somebody who decides for a unit in the place of another on these days, both included."""

    id: str
    from_user: str
    to_user: str
    unit_code: str
    from_on: date
    to_on: date
    created_at: datetime
    version: int = 1
    revoked_at: datetime | None = None
    revoked_by: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One of the staff by name."""

    user: str
    name_zh: str
    name_en: str


class Declarations(Protocol):
    """Declarations and their records, inside one transaction."""

    async def locked(self, id: str) -> Declaration | None:
        """One declaration, locked until the end of the transaction."""

    async def add(self, declaration: Declaration, notes: Sequence[Note]) -> None:
        """Stores a new declaration with the first steps of its record."""

    async def store(self, declaration: Declaration, notes: Sequence[Note]) -> None:
        """Stores the next version of a declaration that was locked, and what was done to it."""

    async def schedule(self, declaration: Declaration) -> None:
        """Has the running limit looked at when it warns and when it ends."""

    async def moved(self) -> list[Declaration]:
        """Declarations of which a unit has another path than they say, locked."""

    async def steps(self, id: str) -> list[Step]:
        """The record in order."""

    async def customer_of(self, uscc: str) -> Holder | None:
        """The customer that has this credit code."""

    async def open_of(self, uscc: str, except_id: str) -> Holder | None:
        """The open declaration of this credit code, if it is not this one."""

    async def candidates(self, content: Content, except_id: str) -> list[Candidate]:
        """Customers and declarations that share a sign with this content."""


class Delegations(Protocol):
    """Who decides for whom, inside one transaction."""

    async def add(self, delegation: Delegation) -> None:
        """Stores a new one."""

    async def locked(self, id: str) -> Delegation | None:
        """One of them, locked."""

    async def store(self, delegation: Delegation) -> None:
        """Stores that it was revoked."""

    async def in_force(self, deputy: str, unit_path: str, on: date, roles: Sequence[str]) -> list[Delegation]:
        """Those by which the deputy decides for this unit on this day, given by people who hold one of the roles."""

    async def deciders(self, unit_path: str, roles: Sequence[str]) -> list[Person]:
        """Who decides without one: those with a role on the nearest unit at or above that anybody has one on."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every act on declarations works with inside one transaction: the instant, who acts and on which version (None:
    any), the organisation with the terms and rules of the day, the stores, and the way out. Timers and the start of the
    service act as the registry itself."""

    now: datetime
    caller: Principal
    version: int | None
    terms: Terms
    rules: Rules
    industries: Mapping[str, str]
    organisation: Organisation
    declarations: Declarations
    delegations: Delegations
    customers: Customers
    organisations: Organisations
    publish: Publish
    new_id: Callable[[], str]
