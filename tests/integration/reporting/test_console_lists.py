"""Lists as people narrow and order them: customers by revenue and by any of their names, what is held by its code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads import customers as customers_reads
from services.reporting.adapters.reads import suspense as suspense_reads
from services.reporting.adapters.reads import units as units_reads
from services.reporting.adapters.reads import windows as windows_reads
from services.reporting.adapters.reads.customers import CustomerFilter
from services.reporting.adapters.reads.suspense import SuspenseFilter
from shared.auth.development import PEOPLE
from shared.auth.principals import Principal
from shared.db import create_engine
from tests.support import reporting_events as told
from tests.support.states import NANJING, THEN, HandlerBench, agreement, customer, tier, unit

pytestmark = pytest.mark.engines


class Standing:
    """A clock that stands at one instant."""

    def now(self) -> Any:
        return THEN + timedelta(hours=40)


@pytest.fixture
async def read(views: HandlerBench) -> AsyncIterator[Reads]:
    engine = create_engine(views.database.reader, "tests")
    yield Reads(engine, Standing())
    await engine.dispose()


def person(user: str) -> Principal:
    return next(one for one in PEOPLE if one.user == user)


CENTRE, STEWARD, MANAGER = person("centre"), person("steward"), person("manager")


async def codes(read: Reads, asked: CustomerFilter, caller: Principal = CENTRE) -> list[str]:
    """The codes of the whole list, two at a time."""
    found: list[str] = []
    cursor = None
    while True:
        page = await customers_reads.customers(read, caller, asked, cursor, 2)
        found += [row["customer_code"] for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.req("REP-3", "REP-19")
async def test_customers_have_this_years_revenue_with_or_without_a_tier_and_the_largest_come_first(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit(),
        unit("3201", NANJING),
        customer("S1", agreements=(agreement(),)),
        customer("S2"),
        customer("S3"),
        customer("S4"),
        customer("S5"),
        customer("N1", NANJING),
        tier("S1", tier="gold"),
        told.revenue("S1", 2026, 1, (1, "express", 300), (2, "press", 50)),
        told.revenue("S1", 2025, 1, (1, "express", 9_999)),
        told.revenue("S2", 2026, 1, (1, "express", 81_389_545)),
        told.revenue("S3", 2026, 1, (3, "express", -7)),
        told.revenue("S5", 2026, 1, (3, "express", 350)),
        told.revenue("N1", 2026, 1, (1, "express", 10**9)),
    )
    rows = (await customers_reads.customers(read, CENTRE, CustomerFilter(), None, 10)).items
    assert {row["customer_code"]: row["revenue_fen"] for row in rows} == {
        "S1": 350, "S2": 81_389_545, "S3": -7, "S4": None, "S5": 350,
    }  # fmt: skip
    assert {row["revenue_year"] for row in rows} == {2026}
    assert await codes(read, CustomerFilter(order="revenue")) == ["S2", "S1", "S5", "S3", "S4"]
    bare = CustomerFilter(agreement=False, order="revenue")
    assert await codes(read, bare) == ["S2", "S5", "S3", "S4"]
    assert await codes(read, CustomerFilter(agreement=True)) == ["S1"]
    counts = await customers_reads.customer_counts(read, CENTRE, bare)
    assert counts == {"total": 4, "revenue_fen": 81_389_545 - 7 + 350, "year": 2026}
    assert (await customers_reads.customer_counts(read, person("centre-nanjing"), CustomerFilter()))[
        "total"
    ] == 1


async def test_a_customer_is_found_by_several_words_wide_letters_and_any_of_its_other_names(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit(),
        customer("3205000000011", name="苏州工业园永恒银行７-017", uscc="91320500MAC0000017"),
        customer(
            "3205000000020", name="苏州织造", aliases=("3201000000099",), agreements=(agreement("XY-2026-7"),)
        ),
        customer("3205000000038", name="昆山 ABC"),
    )
    for asked, found in (
        ("苏州 工业园", ["3205000000011"]),
        ("工业园　苏州", ["3205000000011"]),
        ("7-017", ["3205000000011"]),
        ("７-０17", ["3205000000011"]),
        ("91320500mac0000017", ["3205000000011"]),
        ("xy-2026-7", ["3205000000020"]),
        ("3201000000099", ["3205000000020"]),
        ("ａｂｃ", ["3205000000038"]),
        ("32050000000", ["3205000000011", "3205000000020", "3205000000038"]),
        ("苏州 昆山", []),
        ("%", []),
    ):
        asked_for = CustomerFilter(q=asked)
        assert await codes(read, asked_for) == found, asked
        assert (await customers_reads.customer_counts(read, CENTRE, asked_for))["total"] == len(found)


@pytest.mark.req("REP-12", "REP-19")
async def test_what_is_held_adds_up_by_code_and_each_is_shown_to_whom_the_tiles_count_it(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit(),
        unit("3201", NANJING),
        customer("S1"),
        told.held("OLD-1", "1", counter_id="3205", amount_fen=100),
        told.held("OLD-1", "2", counter_id="3205", amount_fen=30, kind="reversal"),
        told.held("OLD-2", "3", counter_id="3205", amount_fen=90),
        told.held("OLD-3", "4", counter_id="3201", amount_fen=5_000),
    )
    rows = (
        await suspense_reads.suspense(read, STEWARD, SuspenseFilter(reason="unknown_code"), None, 10)
    ).items
    summary = await suspense_reads.suspense_summary(read, STEWARD)
    assert len(rows) == summary["held"] == 3, "list and tiles are of one scope"
    groups = await suspense_reads.suspense_codes(read, STEWARD, "unknown_code")
    assert [(row["customer_code"], row["count"], row["amount_fen"]) for row in groups] == [
        ("OLD-2", 1, 90), ("OLD-1", 2, 70),
    ]  # fmt: skip
    for group in groups:
        shown = await suspense_reads.suspense_item(read, STEWARD, group["item"])
        assert shown is not None and shown["customer_code"] == group["customer_code"]
        assert await suspense_reads.suspense_item(read, person("centre-nanjing"), group["item"]) is None
    assert await suspense_reads.suspense_item(read, STEWARD, uuid4()) is None


@pytest.mark.req("CLM-23", "REP-19")
async def test_windows_of_all_say_which_plans_and_customers_the_reader_may_open(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit(),
        unit("3201", NANJING),
        customer("S1"),
        customer("N1", NANJING, manager_a=None),
        told.plan("P1", customer_code="S1"),
        told.plan("P2", path=NANJING, customer_code="N1", manager_a=None),
        told.window("S1", "P1"),
        told.window("N1", "P2", path=NANJING),
    )
    rows = await windows_reads.windows(read, CENTRE)
    assert {row["plan_id"]: (row["plan_seen"], row["customer_seen"]) for row in rows} == {
        "P1": (True, True), "P2": (False, False),
    }  # fmt: skip


async def test_units_are_known_by_name_to_everybody_inside(views: HandlerBench, read: Reads) -> None:
    await views.tell(unit(), unit("3201", NANJING))
    for caller in (MANAGER, person("admin")):
        assert [row["unit_code"] for row in await units_reads.units(read, caller)] == ["3201", "3205"]
