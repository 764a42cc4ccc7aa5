"""Two codes found to be one customer become one (REG-7): the survivor goes on, the other stays as its alias for ever.

Three approvers of three offices sign a merge, and none of them asked for it (00-overview, roles). A proposal is no
signature: an approver of the requester's office may sign, the requester never does. What each would become is shown
before anybody signs. At the third signature the alias's agreements, counter codes and earlier aliases pass to the
survivor; what the survivor does not know (credit code, industry, managers …) it takes over; nothing that it does know
is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

from services.registry.domain.agreements import Agreement
from services.registry.domain.counter_codes import holding
from services.registry.domain.customers import Customer
from shared.kernel.refusals import Kind, Refusal

SIGNATURES: Final = 3
NUMBER_LENGTH_MAX: Final = 128

State = Literal["proposed", "merged", "refused", "withdrawn"]
Warning = Literal["uscc_differs", "unit_differs", "name_differs"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One approver's word for a merge. `office` is where they belong, as the staff list says."""

    person: str
    office: str | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A merge that somebody asked for, and who has signed it so far."""

    id: int
    survivor: str
    alias: str
    state: State
    requested_by: str
    signatures: tuple[Signature, ...]
    version: int


@dataclass(frozen=True, slots=True)
class SameCustomer(Refusal):
    """A customer cannot be merged with itself."""

    code: ClassVar[str] = "same_customer"
    kind: ClassVar[Kind] = "invalid"


@dataclass(frozen=True, slots=True)
class AgreementsClash(Refusal):
    """Both customers have agreements of these numbers in force, with other terms."""

    agreement_nos: tuple[str, ...]
    code: ClassVar[str] = "agreements_clash"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class AlreadyProposed(Refusal):
    """A merge of the alias is waiting for its signatures."""

    merge_id: int
    code: ClassVar[str] = "merge_already_proposed"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class UnknownMerge(Refusal):
    """There is no merge of this number, or none that the caller may know of."""

    id: int
    code: ClassVar[str] = "unknown_merge"
    kind: ClassVar[Kind] = "unknown"

    def members(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class AlreadyDecided(Refusal):
    """The merge was carried out, refused or withdrawn before."""

    state: State
    code: ClassVar[str] = "merge_already_decided"
    kind: ClassVar[Kind] = "conflict"

    def sentence(self) -> str:
        return f"{self.code}_{self.state}"


@dataclass(frozen=True, slots=True)
class OwnRequest(Refusal):
    """Nobody signs what they asked for themselves."""

    code: ClassVar[str] = "own_request"
    kind: ClassVar[Kind] = "forbidden"

    def sentence(self) -> str:
        return "own_request_merge"


@dataclass(frozen=True, slots=True)
class AlreadySigned(Refusal):
    """One person gives one signature."""

    code: ClassVar[str] = "already_signed"
    kind: ClassVar[Kind] = "conflict"


@dataclass(frozen=True, slots=True)
class SameOffice(Refusal):
    """Somebody of this office has signed already; the three come from three offices."""

    office: str
    code: ClassVar[str] = "same_office"
    kind: ClassVar[Kind] = "forbidden"


@dataclass(frozen=True, slots=True)
class NotOnStaff(Refusal):
    """Nobody knows to which office this person belongs."""

    code: ClassVar[str] = "office_unknown"
    kind: ClassVar[Kind] = "forbidden"


SigningRefused = AlreadyDecided | OwnRequest | AlreadySigned | SameOffice | NotOnStaff


@dataclass(frozen=True, slots=True)
class Effect:
    """What a merge makes of both customers. `renumbered` are (old number, new number) of agreements that pass
    over; `warnings` are what a signer should have looked at."""

    survivor: Customer
    alias: Customer
    agreements: tuple[tuple[str, str], ...]
    warnings: tuple[Warning, ...]


def merge(survivor: Customer, alias: Customer) -> Effect | SameCustomer | AgreementsClash:
    """Both customers as they will be. Both are in good standing; whoever asks has made sure of it."""
    if survivor.code == alias.code:
        return SameCustomer()
    clashing = tuple(
        each.agreement_no
        for each in alias.agreements
        if each.state == "in_force"
        and (other := survivor.agreement(each.agreement_no)) is not None
        and other.state == "in_force"
        and not _same_terms(each, other)
    )
    if clashing:
        return AgreementsClash(clashing)
    moved = _moved_agreements(survivor, alias)
    manager_a, manager_b = _managers(survivor, alias)
    after = replace(
        survivor,
        version=survivor.version + 1,
        uscc=survivor.uscc or alias.uscc,
        kind="active" if "active" in (survivor.kind, alias.kind) else "potential",
        division=survivor.division or alias.division,
        industry=survivor.industry or alias.industry,
        manager_a=manager_a,
        manager_b=manager_b,
        agreements=(*survivor.agreements, *(agreement for _, agreement in moved)),
        counter_codes=holding(
            [
                *survivor.counter_codes,
                *(
                    replace(each, customer_code=survivor.code, version=each.version + 1)
                    for each in alias.counter_codes
                ),
            ]
        ),
        aliases=tuple(sorted((*survivor.aliases, alias.code, *alias.aliases))),
    )
    gone = replace(
        alias,
        version=alias.version + 1,
        # A credit code means one customer: where the survivor takes it over, the alias has it no longer.
        uscc=alias.uscc if survivor.uscc else None,
        status="merged",
        merged_into=survivor.code,
        agreements=(),
        counter_codes=(),
        aliases=(),
    )
    return Effect(
        after,
        gone,
        tuple((old, agreement.agreement_no) for old, agreement in moved),
        _warnings(survivor, alias),
    )


def _moved_agreements(survivor: Customer, alias: Customer) -> list[tuple[str, Agreement]]:
    """The alias's agreements as the survivor will have them, each with its number before. One that the survivor has
    as well stays behind; one whose number the survivor uses for another says whose it was."""
    taken = {each.agreement_no for each in survivor.agreements} | {
        each.agreement_no for each in alias.agreements
    }
    moved: list[tuple[str, Agreement]] = []
    for each in alias.agreements:
        other = survivor.agreement(each.agreement_no)
        if other is None:
            moved.append((each.agreement_no, each))
        elif not _same_terms(each, other):
            number = _free_number(f"{each.agreement_no}@{alias.code}", taken)
            taken.add(number)
            moved.append((each.agreement_no, replace(each, agreement_no=number)))
    return moved


def _same_terms(one: Agreement, other: Agreement) -> bool:
    return (one.signed_on, one.ends_on, one.state, one.ended_on, set(one.lines)) == (
        other.signed_on,
        other.ends_on,
        other.state,
        other.ended_on,
        set(other.lines),
    )


def _free_number(number: str, taken: set[str]) -> str:
    free, n = number[:NUMBER_LENGTH_MAX], 1
    while free in taken:
        n += 1
        mark = f"/{n}"
        free = number[: NUMBER_LENGTH_MAX - len(mark)] + mark
    return free


def _managers(survivor: Customer, alias: Customer) -> tuple[str | None, str | None]:
    """The survivor's own; an empty place is filled from the alias, for nobody holds a customer alone (REG-19)."""
    if survivor.manager_a is None and survivor.manager_b is None:
        return alias.manager_a, alias.manager_b
    candidates = [each for each in (alias.manager_a, alias.manager_b) if each is not None]

    def other_than(holder: str | None) -> str | None:
        return next((each for each in candidates if each != holder), None)

    return (
        survivor.manager_a or other_than(survivor.manager_b),
        survivor.manager_b or other_than(survivor.manager_a),
    )


def _warnings(survivor: Customer, alias: Customer) -> tuple[Warning, ...]:
    found: list[Warning] = []
    if survivor.uscc and alias.uscc and survivor.uscc != alias.uscc:
        found.append("uscc_differs")
    if survivor.unit_code != alias.unit_code:
        found.append("unit_differs")
    if survivor.name != alias.name:
        found.append("name_differs")
    return tuple(found)


def sign(proposal: Proposal, person: str, office: str | None) -> tuple[Signature, ...] | SigningRefused:
    """All signatures with this one; `complete` says whether they suffice."""
    if proposal.state != "proposed":
        return AlreadyDecided(proposal.state)
    if person == proposal.requested_by:
        return OwnRequest()
    if any(each.person == person for each in proposal.signatures):
        return AlreadySigned()
    if office is None:
        return NotOnStaff()
    if any(each.office == office for each in proposal.signatures):
        return SameOffice(office)
    return (*proposal.signatures, Signature(person, office))


def complete(signatures: Sequence[Signature]) -> bool:
    """Whether the merge is to be carried out."""
    return len(signatures) >= SIGNATURES
