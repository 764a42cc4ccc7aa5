"""A professional unit covers its line: in the views its people see that line over the whole city, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads import customer360 as customer360_reads
from services.reporting.adapters.reads import customers as customers_reads
from services.reporting.adapters.reads import revenue as revenue_reads
from services.reporting.adapters.reads import suspense as suspense_reads
from services.reporting.adapters.reads.customers import CustomerFilter
from services.reporting.adapters.reads.revenue import RevenueFilter
from services.reporting.adapters.reads.suspense import SuspenseFilter
from shared.auth.principals import Principal, RoleGrant
from shared.db import create_engine
from tests.integration.reporting.test_reads import CENTRE, OPERATOR, Standing, person
from tests.support import reporting_events as told
from tests.support.states import NANJING, HandlerBench, customer, unit

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-13", "REP-19")]

KUNSHAN = "/CN/32/3205/320583"
REVIEWER = person("reviewer")
STEWARD = Principal("s", "s", (replace(REVIEWER.roles[0], role="steward"),))
COUNTY_TOO = Principal("c", "c", (*REVIEWER.roles, RoleGrant("reviewer", "320583", "/CN/32/3205/320583")))


@pytest.fixture
async def read(views: HandlerBench) -> AsyncIterator[Reads]:
    engine = create_engine(views.database.reader, "tests")
    await views.tell(
        unit(),
        unit("Z", path="/CN/32/3205/Z"),
        customer("S1"),
        customer("K1", KUNSHAN),
        customer("N1", NANJING),
        told.revenue("S1", 2026, 1, (3, "express", 500), (3, "letters", 70)),
        told.revenue("K1", 2026, 1, (3, "express", 20), (3, "press", 9)),
        told.revenue("N1", 2026, 1, (3, "express", 4)),
        told.held("L-1", counter_id="Z", number="held-express", line="express"),
        told.held("L-1", counter_id="Z", number="held-letters", line="letters"),
    )
    yield Reads(engine, Standing())
    await engine.dispose()


async def figures(read: Reads, caller: Principal) -> set[tuple[str, str, int]]:
    page = await revenue_reads.revenue_rows(read, caller, RevenueFilter(), None, 100)
    return {(row["customer_code"], row["line"], int(row["amount_fen"])) for row in page.items}


async def test_revenue_of_other_lines_is_not_shown_and_not_added_up(read: Reads) -> None:
    express = {("S1", "express", 500), ("K1", "express", 20)}
    assert await figures(read, REVIEWER) == express
    assert await figures(read, CENTRE) == express | {("S1", "letters", 70), ("K1", "press", 9)}
    assert await figures(read, COUNTY_TOO) == express | {("K1", "press", 9)}
    assert ("N1", "express", 4) in await figures(read, OPERATOR)
    total = await revenue_reads.revenue(read, REVIEWER, None, 2026, "line")
    assert (total["total_fen"], [row["line"] for row in total["rows"]]) == (520, ["express"])
    page = await customer360_reads.customer360(read, REVIEWER, "S1")
    assert page is not None
    assert [(row["line"], row["amount_fen"]) for row in page["revenue"]] == [("express", 500)]


async def test_the_customers_of_the_city_are_seen_whatever_their_lines(read: Reads) -> None:
    rows = (await customers_reads.customers(read, REVIEWER, CustomerFilter(), None, 100)).items
    assert {row["customer_code"] for row in rows} == {"S1", "K1"}
    assert await customer360_reads.customer360(read, REVIEWER, "N1") is None


async def test_what_is_held_is_seen_by_its_line(read: Reads) -> None:
    async def held(caller: Principal) -> set[str]:
        rows = (await suspense_reads.suspense(read, caller, SuspenseFilter(), None, 100)).items
        return {row["id"] for row in rows}

    assert await held(STEWARD) == {"held-express"}
    assert await held(CENTRE) == {"held-express", "held-letters"}


async def test_the_database_hides_other_lines_from_a_query_that_forgets_them(
    read: Reads, views: HandlerBench
) -> None:
    del read  # What it told is looked at past it.
    engine = create_engine(views.database.reader, "tests")
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT set_config('app.unit_paths', '/CN/32/3205', true)")
        await connection.exec_driver_sql("SELECT set_config('app.lines', '/CN/32/3205|press', true)")
        found = {
            tuple(row)
            for row in await connection.exec_driver_sql("SELECT customer_code, line FROM revenue_view")
        }
    await engine.dispose()
    assert found == {("K1", "press")}
