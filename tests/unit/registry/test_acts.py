"""Acts at their desk: who may, which version they mean, and what is stored and told, with stores in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest

from services.registry.domain.agreements import Agreement, EndsBeforeSigned, Signing
from services.registry.domain.customers import (
    Customer,
    CustomerRetired,
    MergedInto,
    Status,
    UnknownCustomer,
)
from services.registry.domain.merging import Proposal, UnknownMerge
from services.registry.domain.organisation import Unit
from services.registry.handlers.acting import ActDesk
from services.registry.handlers.merge_customers import RefuseMerge, SignMerge, refuse_merge, sign_merge
from services.registry.handlers.move_agreement_end import MoveAgreementEnd, move_agreement_end
from services.registry.handlers.sign_agreement import SignAgreement, sign_agreement
from shared.auth.policy import Forbidden, OutOfScope
from shared.auth.principals import Principal, Role, RoleGrant
from shared.contracts.envelope import Message
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import Refusal

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
TODAY = date(2026, 3, 9)
SUZHOU = Unit("3205", "苏州", "Suzhou", "city", "32", path="/CN/32/3205")
NANJING = Unit("3201", "南京", "Nanjing", "city", "32", path="/CN/32/3201")
UNITS = {each.code: each for each in (SUZHOU, NANJING)}


@dataclass
class Store:
    """Customers, organisation and merges in memory, and what was told."""

    by_code: dict[str, Customer]
    proposal: Proposal | None = None
    steps: list[tuple[str, str, str | None]] = field(default_factory=list)
    timers: list[tuple[str, str, date]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    decided: str | None = None

    async def lock_registrations(self) -> None: ...

    async def locked(self, key: Any) -> Any:
        return self.by_code.get(key) if isinstance(key, str) else self.proposal

    async def locked_all(self, codes: Sequence[str]) -> dict[str, Customer]:
        return {code: self.by_code[code] for code in codes if code in self.by_code}

    async def survivor_of(self, code: str) -> str:
        return f"survivor of {code}"

    async def units(self, codes: Sequence[str]) -> dict[str, Unit]:
        return {code: UNITS[code] for code in codes if code in UNITS}

    async def office_of(self, user: str) -> str:
        return user

    async def store(self, customer: Customer, units: Mapping[str, Unit], person: str) -> None:
        assert customer.version == self.by_code[customer.code].version + 1
        self.by_code[customer.code] = customer

    async def note_agreement(
        self, code: str, agreement: Agreement, step: str, person: str, reason: str | None
    ) -> None:
        self.steps.append((agreement.agreement_no, step, reason))

    async def schedule(
        self, ends: Sequence[tuple[str, str, date]], due_at: Callable[[date], datetime]
    ) -> None:
        self.timers.extend(ends)

    async def parties(self, id: int) -> tuple[str, str] | None:
        return None if self.proposal is None else (self.proposal.survivor, self.proposal.alias)

    async def decide(self, proposal: Proposal, state: str, *_: object) -> None:
        self.decided = state

    def publish(self, message: Message, _id: str) -> None:
        self.messages.append(message)


def customer(code: str = "C", unit: str = "3205", status: Status = "active") -> Customer:
    return Customer(code, 3, "某公司", None, "potential", unit, NOW, status)


def desk(
    store: Store,
    role: Role = "centre",
    unit: Unit = SUZHOU,
    version: int | None = None,
    user: str = "somebody",
) -> ActDesk:
    caller = Principal(user, user, (RoleGrant(role, unit.code, unit.path),))
    every = cast(Any, store)
    return ActDesk(
        caller, version, NOW, cast(Any, None), every, every, every, every, every, every, store.publish
    )


def signing(**more: Any) -> SignAgreement:
    return SignAgreement("C", Signing("A-1", TODAY, **more))


@pytest.mark.req("REG-20")
async def test_a_signed_agreement_is_stored_timed_and_told_in_one_version() -> None:
    store = Store({"C": customer()})
    done = await sign_agreement(signing(ends_on=date(2026, 12, 31)), desk(store, version=3))
    assert isinstance(done, Done) and done.created
    assert (done.value.customer.version, done.value.customer.lead) == (4, "B")
    assert store.by_code["C"] == done.value.customer
    assert store.steps == [("A-1", "signed", None)]
    assert store.timers == [("C", "A-1", date(2026, 12, 31))]
    assert len(store.messages) == 2


async def test_the_same_agreement_again_changes_nothing_whatever_version_is_meant() -> None:
    store = Store({"C": customer()})
    await sign_agreement(signing(), desk(store))
    again = await sign_agreement(signing(), desk(store, version=3))
    assert isinstance(again, Done) and not again.created
    assert (store.by_code["C"].version, len(store.steps)) == (4, 1)


async def test_who_means_a_version_that_has_moved_on_is_told_the_current_one() -> None:
    store = Store({"C": customer()})
    assert await sign_agreement(signing(), desk(store, version=2)) == ChangedMeanwhile(3)
    await sign_agreement(signing(), desk(store))
    ending = MoveAgreementEnd("C", "A-1", None, "x")
    assert await move_agreement_end(ending, desk(store, version=3)) == ChangedMeanwhile(4)
    assert store.by_code["C"].version == 4


async def test_an_end_without_a_day_is_today() -> None:
    store = Store({"C": customer()})
    await sign_agreement(signing(), desk(store))
    early = MoveAgreementEnd("C", "A-1", date(2026, 3, 8), "x")
    assert await move_agreement_end(early, desk(store)) == EndsBeforeSigned(TODAY)
    done = await move_agreement_end(MoveAgreementEnd("C", "A-1", None, "破产"), desk(store))
    assert isinstance(done, Done) and not done.created
    assert done.value.customer.agreements[0].ends_on == TODAY
    assert store.steps[-1] == ("A-1", "end_moved", "破产")
    assert store.timers == [("C", "A-1", TODAY)]


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize(
    ("role", "unit", "expected"),
    [
        ("centre", NANJING, UnknownCustomer("C")),
        ("steward", SUZHOU, Forbidden),
        ("admin", SUZHOU, UnknownCustomer("C")),
    ],
)
@pytest.mark.parametrize("status", ["active", "merged", "retired"])
async def test_who_may_not_see_a_customer_learns_nothing_and_who_sees_it_that_they_may_not(
    role: Role, unit: Unit, expected: Refusal | type[Refusal], status: Status
) -> None:
    store = Store({"C": customer(status=status)})
    refusal = await sign_agreement(signing(), desk(store, role, unit))
    assert refusal == expected or (isinstance(expected, type) and isinstance(refusal, expected))
    assert not store.messages


@pytest.mark.parametrize(
    ("status", "refusal"),
    [("merged", MergedInto("C", "survivor of C")), ("retired", CustomerRetired("C"))],
)
async def test_nothing_is_done_to_a_customer_that_is_not_in_good_standing(
    status: Status, refusal: Refusal
) -> None:
    store = Store({"C": customer(status=status)})
    assert await sign_agreement(signing(), desk(store)) == refusal
    assert await sign_agreement(replace(signing(), customer_code="?"), desk(store)) == UnknownCustomer("?")


def proposed(alias_unit: str = "3205") -> Store:
    parties = {"S": customer("S"), "L": customer("L", alias_unit)}
    return Store(parties, Proposal(7, "S", "L", "proposed", "asker", (), 1))


@pytest.mark.req("REG-7", "PLT-13")
async def test_a_merge_outside_ones_scope_is_as_if_it_were_not_there() -> None:
    for store in (proposed("3201"), Store({})):
        at = desk(store, "approver")
        assert await sign_merge(SignMerge(7), at) == UnknownMerge(7)
        assert await refuse_merge(RefuseMerge(7, "x"), at) == UnknownMerge(7)


@pytest.mark.req("REG-7")
async def test_a_merge_is_refused_by_an_approver_withdrawn_by_who_asked_and_touched_by_nobody_else() -> None:
    for role, user, decided in (("approver", "somebody", "refused"), ("centre", "asker", "withdrawn")):
        store = proposed()
        done = await refuse_merge(RefuseMerge(7, "x"), desk(store, cast(Role, role), user=user))
        assert isinstance(done, Done) and store.decided == decided
    store = proposed()
    refusal = await refuse_merge(RefuseMerge(7, "x"), desk(store, "centre"))
    assert isinstance(refusal, (Forbidden, OutOfScope)) and store.decided is None


@pytest.mark.req("REG-7")
async def test_a_signature_means_the_versions_that_were_looked_at() -> None:
    store = proposed()
    assert await sign_merge(SignMerge(7), desk(store, "approver", version=2)) == ChangedMeanwhile(1)
    seen = SignMerge(7, None, 3, 2)
    assert await sign_merge(seen, desk(store, "approver", version=1)) == ChangedMeanwhile(3)
