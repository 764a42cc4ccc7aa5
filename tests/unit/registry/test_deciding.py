"""Who decides a declaration at the desk: what is asked of every decision, and in which order it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from services.registry.adapters.declaration_files import read_time_limits
from services.registry.adapters.files import read_configuration
from services.registry.domain import declarations as life
from services.registry.domain.declaration_refusals import (
    AlreadyDecided,
    NotAtCentre,
    OwnCustomer,
    OwnRequest,
    SingleManager,
    UnknownDeclaration,
)
from services.registry.domain.declarations import Content, Declaration, Declarer, Moved, Note, Terms
from services.registry.domain.organisation import build_tree
from services.registry.handlers.decide_declaration import (
    Decide,
    Review,
    decide_declaration,
    pre_review_declaration,
)
from services.registry.handlers.declaration_ports import Delegation, Desk
from services.registry.handlers.ports import Organisation
from shared.auth.policy import Forbidden
from shared.auth.principals import Principal, Role, RoleGrant
from shared.etags import ChangedMeanwhile
from shared.kernel.commands import Done
from shared.kernel.refusals import BrokenFields, Fault

START = datetime(2026, 3, 9, 2, tzinfo=UTC)
UNITS = build_tree(read_configuration().units)
TERMS = Terms(UNITS, read_time_limits(), "3205", date(2026, 3, 9))
PEOPLE = {"manager": "manager", "李明": "manager", "manager-b": "manager-b", "deputy": "deputy"}
CONTENT = Content("昆山示例纺织有限公司")


@dataclass
class Store:
    """Declarations and delegations in memory."""

    found: dict[str, Declaration] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    lent_by: dict[str, list[str]] = field(default_factory=dict)

    async def locked(self, id: str) -> Declaration | None:
        return self.found.get(id)

    async def store(self, declaration: Declaration, notes: Sequence[Note]) -> None:
        self.found[declaration.id] = declaration
        self.notes.extend(notes)

    async def schedule(self, _declaration: Declaration) -> None:
        """Nothing fires here."""

    async def in_force(self, deputy: str, *_: object) -> list[Delegation]:
        days = (TERMS.today, TERMS.today)
        return [Delegation("x", who, deputy, "3205", *days, START) for who in self.lent_by.get(deputy, ())]


def desk(
    store: Store, user: str = "centre", role: Role = "centre", unit: str = "3205", version: int | None = 1
) -> Desk:
    caller = Principal(user, user, (RoleGrant(role, unit, UNITS[unit].path),))
    rules = read_configuration().rules
    parts = dict.fromkeys(("customers", "organisations", "industries", "new_id"), cast(Any, None))
    return Desk(
        now=START + timedelta(hours=1),
        caller=caller,
        version=version,
        terms=TERMS,
        rules=rules,
        organisation=Organisation(UNITS, PEOPLE, {}),
        declarations=cast(Any, store),
        delegations=cast(Any, store),
        publish=lambda _message, _id: None,
        **parts,
    )


def moved(outcome: object) -> Declaration:
    assert isinstance(outcome, Moved), outcome
    return outcome.after


def waiting(content: Content = CONTENT, post: str | None = None, declarer: str = "unit") -> Store:
    """One declaration that has been handed in: at the centre, or at the pre-review where a manager declared it."""
    who = Declarer(declarer, post)
    draft = life.declare("d", content, "320583", who, START, TERMS).after
    return Store({"d": moved(life.submit(draft, who, START, TERMS))})


@pytest.mark.req("REG-2")
async def test_who_may_not_know_of_it_is_told_that_there_is_none() -> None:
    for stranger in (desk(waiting(), unit="3201"), desk(waiting(), role="admin")):
        assert await decide_declaration(Decide("d", "approve"), stranger) == UnknownDeclaration()
    assert await decide_declaration(Decide("other\x00", "approve"), desk(waiting())) == UnknownDeclaration()


@pytest.mark.req("REG-2")
async def test_who_sees_it_and_does_not_decide_is_forbidden_before_anything_else_is_told() -> None:
    reader = desk(waiting(), "reviewer", "reviewer", version=7)
    assert isinstance(await decide_declaration(Decide("d", "return"), reader), Forbidden)


@pytest.mark.req("REG-2", "REG-4")
async def test_ones_own_and_what_is_decided_is_told_whatever_version_was_meant() -> None:
    own = desk(waiting(), "unit", version=7)
    assert await decide_declaration(Decide("d", "return"), own) == OwnRequest()
    store = waiting()
    assert isinstance(await decide_declaration(Decide("d", "reject", "不符合"), desk(store)), Done)
    again = await decide_declaration(Decide("d", "return"), desk(store, "second", version=7))
    assert again == AlreadyDecided("rejected", "centre", START + timedelta(hours=1), None)


async def test_the_version_is_asked_before_the_comment_and_both_before_the_managers() -> None:
    store = waiting()
    asked = Decide("d", "return", manager_a="nobody")
    assert await decide_declaration(asked, desk(store, version=7)) == ChangedMeanwhile(1)
    blank = replace(asked, comment="  ")
    for each in (asked, blank):
        outcome = await decide_declaration(each, desk(store))
        assert outcome == BrokenFields((Fault("/comment", "missing_comment"),))
    outcome = await decide_declaration(replace(asked, comment="补充"), desk(store))
    assert outcome == BrokenFields((Fault("/manager_a", "unknown_manager"),))
    assert store.notes == []


@pytest.mark.req("REG-2")
async def test_managers_named_at_the_approval_are_two_people() -> None:
    store = waiting(replace(CONTENT, manager_b="manager"))
    outcome = await decide_declaration(Decide("d", "approve", manager_a="李明"), desk(store))
    assert outcome == SingleManager("manager")


@pytest.mark.req("REG-3")
async def test_a_deputy_decides_for_who_lent_it_and_never_for_the_declarer_or_their_own_customer() -> None:
    def deputy(store: Store, *lenders: str) -> Desk:
        store.lent_by["deputy"] = list(lenders)
        return desk(store, "deputy", "approver")

    store = waiting()
    rejected = await decide_declaration(Decide("d", "reject", "不符合"), deputy(store, "unit", "centre"))
    assert isinstance(rejected, Done) and rejected.value.decided_for == "centre"
    assert [(note.step, note.person, note.acted_for) for note in store.notes] == [
        ("rejected", "deputy", "centre")
    ]
    assert await decide_declaration(Decide("d", "approve"), deputy(waiting(), "unit")) == OwnRequest()
    theirs = waiting(replace(CONTENT, manager_b="deputy"))
    for asked in (Decide("d", "reject", "不符合"), Decide("d", "approve", manager_b="manager-b")):
        assert await decide_declaration(asked, deputy(theirs, "centre")) == OwnCustomer()
    named = Decide("d", "approve", manager_a="deputy")
    assert await decide_declaration(named, deputy(waiting(), "centre")) == OwnCustomer()
    assert isinstance(await decide_declaration(named, deputy(waiting())), Forbidden)


@pytest.mark.req("REG-2")
async def test_a_pre_review_asks_the_same_and_a_decision_waits_for_it() -> None:
    store = waiting(post="320583", declarer="manager")
    early = await decide_declaration(Decide("d", "reject", "不符合"), desk(store))
    assert isinstance(early, NotAtCentre)
    county = desk(store, "reviewer-kunshan", "reviewer", "320583")
    outcome = await pre_review_declaration(Review("d", "return"), county)
    assert outcome == BrokenFields((Fault("/comment", "missing_comment"),))
    assert isinstance(await pre_review_declaration(Review("d", "pass"), desk(store)), Forbidden)
    passed = await pre_review_declaration(Review("d", "pass"), county)
    assert isinstance(passed, Done) and (passed.value.state, passed.value.version) == ("pre_reviewed", 2)
    late = await pre_review_declaration(Review("d", "pass"), county)
    assert late == ChangedMeanwhile(2)
