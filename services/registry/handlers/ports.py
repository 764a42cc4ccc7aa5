"""What the handlers need from the outside, named by them: storage, messages and timers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from services.registry.domain.agreements import Agreement
from services.registry.domain.book import Book
from services.registry.domain.codes import CodeScheme
from services.registry.domain.counter_codes import CodeMapping
from services.registry.domain.customers import Customer
from services.registry.domain.importing import Outcome
from services.registry.domain.merging import Proposal, Signature
from services.registry.domain.organisation import StaffMember, Unit
from services.registry.domain.registering import Assignment, Registrant
from shared.contracts.envelope import Message

Publish = Callable[[Message, str], None]
"""Sends a message with this event id, once the transaction has committed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the registry is configured with: data that changes only with a start."""

    schemes: tuple[CodeScheme, ...]
    issuing: CodeScheme
    divisions: frozenset[str]
    default_unit: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """Units by code, staff by every name that means one of them, and the unit of each one's post."""

    units: Mapping[str, Unit]
    managers: Mapping[str, str]
    posts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImportChunk:
    """Some rows of a file that a person imports. `import_id` names the whole import, chosen by the client."""

    import_id: str
    file_name: str
    file_sha256: str
    rows_total: int
    rows: tuple[tuple[int, Mapping[str, str | None]], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction did to a customer; a new one has no state before, and got its code."""

    before: Customer | None
    after: Customer
    assignment: Assignment | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """The unit and the managers that hold a customer."""

    unit_code: str
    unit_path: str
    managers: tuple[str | None, str | None]


class Customers(Protocol):
    """Customers with their codes and agreements, inside one transaction."""

    async def lock_registrations(self) -> None:
        """Waits until no other transaction is registering, and keeps others waiting until the end of this one."""

    async def load_book(
        self, registrants: Sequence[Registrant], divisions: set[str], issuing: CodeScheme
    ) -> Book:
        """Everything that these may meet, locked: customers by each identity, ranges of the divisions."""

    async def locked(self, code: str) -> Customer | None:
        """One customer, locked until the end of the transaction."""

    async def store_changes(
        self,
        changes: Sequence[Change],
        book: Book,
        units: Mapping[str, Unit],
        issuing: CodeScheme,
        person: str,
    ) -> None:
        """Stores changes in their order, of one customer perhaps several, with codes, skipped serials, agreements,
        managers and ranges."""

    async def store(
        self, customer: Customer, units: Mapping[str, Unit], person: str, before: Customer | None = None
    ) -> None:
        """Stores the new state of a customer that exists. With the state `before`, managers who are new are bound."""

    async def locked_all(self, codes: Sequence[str]) -> dict[str, Customer]:
        """Several customers by code, locked in the order in which every transaction locks them."""

    async def seen(self, codes: Collection[str]) -> dict[str, Customer]:
        """Customers by code as they are seen, without locking them."""

    async def survivor_of(self, code: str) -> str:
        """The customer that a merged one is now, at the end of the chain; itself where it is not merged."""

    async def point_to(self, alias: str, survivor: str) -> None:
        """Makes a merged customer, and those merged into it before, mean its survivor."""

    async def note_agreement(
        self, customer_code: str, agreement: Agreement, step: str, person: str, reason: str | None
    ) -> None:
        """Keeps who did what to an agreement and why; `step` is `signed`, `end_moved` or `ended`."""

    async def of_units(self, codes: Sequence[str]) -> list[Customer]:
        """All customers of these units, locked, by code."""


class Imports(Protocol):
    """The record of who loaded what."""

    async def open(self, chunk: ImportChunk, person: str) -> bool:
        """Records the import with its first chunk; False when the id is someone else's or another file's."""

    async def record(self, chunk: ImportChunk, outcomes: Sequence[Outcome]) -> None:
        """Adds the outcome of each row and the counts."""

    async def holders(self, codes: Collection[str]) -> dict[str, Holder]:
        """Who holds each of these customers."""


class Organisations(Protocol):
    """The organisation as it is stored."""

    async def load(self) -> Organisation:
        """Units and staff."""

    async def office_of(self, user: str) -> str | None:
        """The office of an active person of the staff; None for anybody else."""

    async def staff_member(self, user: str) -> StaffMember | None:
        """An active person of the staff with their roles."""

    async def units(self, codes: Sequence[str]) -> dict[str, Unit]:
        """Only these units; a timer that touches one customer needs no more."""

    async def file_hash(self, name: str) -> str | None:
        """The hash of the file that was applied last under this name."""

    async def lock(self) -> None:
        """One process at a time applies files."""

    async def store_units(self, units: Sequence[Unit]) -> dict[str, int]:
        """Stores new or changed units with their history; the version that each has now."""

    async def store_staff(self, staff: Sequence[StaffMember]) -> int:
        """Makes the staff what it is given; how many people changed."""

    async def store_scheme(self, scheme: CodeScheme) -> bool:
        """Records a code scheme; False when one of its id is recorded with another structure."""

    async def record_file(self, name: str, sha256: str, version: int, changes: int) -> None:
        """Notes that a file has been applied."""


class CounterCodes(Protocol):
    """Mappings of counter codes, inside one transaction that holds the registrations' lock."""

    async def registered(self, code: str) -> bool:
        """Whether the registry gave or adopted this code."""

    async def of_code(self, code: str) -> list[CodeMapping]:
        """All mappings of a code."""

    async def one(self, id: int) -> CodeMapping | None:
        """One mapping by its number."""

    async def add(self, mapping: CodeMapping, person: str, issuing: CodeScheme) -> CodeMapping | None:
        """Stores a mapping and makes the serial that its code occupies be skipped; None where another one was
        quicker."""

    async def end(self, mapping: CodeMapping, person: str, reason: str) -> None:
        """Stores the new last day."""

    async def move(self, alias: str, survivor: str) -> None:
        """Hands all mappings of one customer to another."""

    async def record(self, id: int) -> Mapping[str, Any]:
        """A mapping as this transaction has left it, with who made and ended it."""


class Merges(Protocol):
    """Merges with their signatures, inside one transaction."""

    async def propose(
        self, survivor: str, alias: str, reason: str, person: str, office: str | None
    ) -> Proposal | None:
        """Stores a proposal; None where one for the alias is open."""

    async def open_for(self, alias: str) -> int | None:
        """The open proposal for an alias."""

    async def parties(self, id: int) -> tuple[str, str] | None:
        """The survivor and the alias of a merge, which never change."""

    async def record(self, id: int) -> Mapping[str, Any]:
        """A merge as this transaction has left it, with its reasons, signatures and effect."""

    async def locked(self, id: int) -> Proposal | None:
        """One merge, locked until the end of the transaction."""

    async def sign(self, proposal: Proposal, signature: Signature, comment: str | None) -> None:
        """Adds a signature."""

    async def decide(
        self,
        proposal: Proposal,
        state: str,
        person: str,
        reason: str | None,
        effect: Mapping[str, Any] | None,
    ) -> None:
        """Ends the proposal; `effect` is what a merge carried out made of both customers."""

    async def move_agreements(self, alias: str, survivor: str, numbers: Sequence[tuple[str, str]]) -> None:
        """Hands agreements (old number, new number) of one customer to another, behind those it has."""


class AgreementTimers(Protocol):
    """The durable timers that end agreements."""

    async def schedule(
        self, ends: Sequence[tuple[str, str, date]], due_at: Callable[[date], datetime]
    ) -> None:
        """For each (customer code, agreement number, last day): fire when that day is over."""
