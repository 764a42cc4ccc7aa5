"""Merges: what becomes of both customers, and who may sign."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.registry.domain.agreements import Agreement, expire
from services.registry.domain.counter_codes import CodeMapping
from services.registry.domain.customers import Customer
from services.registry.domain.merging import (
    AgreementsClash,
    AlreadyDecided,
    AlreadySigned,
    Effect,
    NotOnStaff,
    OwnRequest,
    Proposal,
    SameCustomer,
    SameOffice,
    Signature,
    complete,
    merge,
    sign,
)

pytestmark = pytest.mark.req("REG-7")

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)


def customer(code: str, **more: Any) -> Customer:
    return Customer(
        code, 3, more.pop("name", "同名公司"), more.pop("uscc", None), "potential", "3205", NOW, **more
    )


def agreement(number: str, ends_on: date | None = None, unit: str = "3205") -> Agreement:
    return Agreement(number, date(2026, 3, 2), ends_on, "in_force", None, NOW, (), unit)


def effect(survivor: Customer, alias: Customer) -> Effect:
    found = merge(survivor, alias)
    assert isinstance(found, Effect)
    return found


def test_what_the_alias_has_passes_to_the_survivor_and_nothing_stays() -> None:
    survivor = customer("S", agreements=(agreement("A"),), aliases=("X",))
    alias = customer(
        "L", agreements=(agreement("B"),), counter_codes=(CodeMapping(1, "K", "L"),), aliases=("O",)
    )
    done = effect(survivor, alias)
    assert [each.agreement_no for each in done.survivor.agreements] == ["A", "B"]
    assert done.survivor.counter_codes == (CodeMapping(1, "K", "S", version=2),)
    assert done.survivor.aliases == ("L", "O", "X")
    assert (done.survivor.version, done.alias.version) == (4, 4)
    gone = done.alias
    assert (gone.status, gone.merged_into) == ("merged", "S")
    assert (gone.agreements, gone.counter_codes, gone.aliases) == ((), (), ())


def test_the_survivor_learns_what_it_lacked_and_keeps_what_it_knew() -> None:
    done = effect(
        customer("S", industry="C"), customer("L", uscc="U", industry="F", division="320500", manager_a="m")
    )
    after = done.survivor
    assert (after.uscc, after.industry, after.division, after.manager_a) == ("U", "C", "320500", "m")
    assert done.alias.uscc is None
    both = effect(customer("S", uscc="V"), customer("L", uscc="U"))
    assert (both.survivor.uscc, both.alias.uscc, both.warnings) == ("V", "U", ("uscc_differs",))


@pytest.mark.req("REG-19")
@pytest.mark.parametrize(
    ("survivor", "alias", "after"),
    [
        ((None, None), ("a", "b"), ("a", "b")),
        (("a", "b"), ("c", "d"), ("a", "b")),
        (("a", None), ("c", "d"), ("a", "c")),
        (("a", None), ("a", "d"), ("a", "d")),
        (("a", None), ("a", None), ("a", None)),
        ((None, "b"), ("b", "d"), ("d", "b")),
    ],
)
def test_nobody_is_left_to_hold_the_customer_alone(
    survivor: tuple[str | None, str | None],
    alias: tuple[str | None, str | None],
    after: tuple[str | None, str | None],
) -> None:
    done = effect(
        customer("S", manager_a=survivor[0], manager_b=survivor[1]),
        customer("L", manager_a=alias[0], manager_b=alias[1]),
    )
    assert (done.survivor.manager_a, done.survivor.manager_b) == after


def test_agreements_of_one_number_are_one_clash_or_are_renumbered() -> None:
    same = effect(customer("S", agreements=(agreement("A"),)), customer("L", agreements=(agreement("A"),)))
    assert [each.agreement_no for each in same.survivor.agreements] == ["A"]
    other = agreement("A", date(2026, 12, 31))
    assert merge(
        customer("S", agreements=(agreement("A"),)), customer("L", agreements=(other,))
    ) == AgreementsClash(("A",))
    ended = expire(agreement("A", date(2026, 3, 5)), date(2026, 3, 9))
    told = effect(
        customer("S", agreements=(agreement("A"), agreement("A@L"))), customer("L", agreements=(ended,))
    )
    assert told.agreements == (("A", "A@L/2"),)
    assert told.survivor.agreements[-1].state == "ended"


def test_a_customer_is_not_merged_with_itself() -> None:
    assert merge(customer("S"), customer("S")) == SameCustomer()


def proposal(*signatures: Signature) -> Proposal:
    return Proposal(1, "S", "L", "proposed", "asker", signatures, 1)


def test_three_people_of_three_offices_sign() -> None:
    first = sign(proposal(), "one", "business")
    assert isinstance(first, tuple)
    second = sign(proposal(*first), "two", "supervision")
    assert isinstance(second, tuple)
    assert not complete(second)
    third = sign(proposal(*second), "three", "centre")
    assert isinstance(third, tuple)
    assert complete(third)


@pytest.mark.parametrize(
    ("person", "office", "refused"),
    [
        ("asker", "centre", OwnRequest()),
        ("one", "business", AlreadySigned()),
        ("two", "business", SameOffice("business")),
        ("two", None, NotOnStaff()),
    ],
)
def test_a_signature_that_adds_nothing_is_refused(person: str, office: str | None, refused: object) -> None:
    assert sign(proposal(Signature("one", "business")), person, office) == refused
    decided = replace(proposal(), state="merged")
    assert sign(decided, person, office) == AlreadyDecided("merged")
