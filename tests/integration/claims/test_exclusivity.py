"""One window at a time: the database's own word, asked by many at once and in every order."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.claims.conftest import RIVALS, Claims

pytestmark = pytest.mark.engines

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)
TAKE = """
    INSERT INTO windows (plan_id, subject_id, window_key, name, version, state, unit_code, unit_path, manager_a, kind,
        lines, opens_at, ends_at, last_day, settled_at, closed_at, rule_version)
    VALUES ($1, $2, 'x', 'x', 1, $3, 'x', 'x', 'x', 'regular', '{}', $4, $5, '2026-01-01', $6, $7, 1)
    ON CONFLICT DO NOTHING RETURNING plan_id
"""


@pytest.mark.req("CLM-4")
async def test_of_fifty_units_at_once_one_gets_the_window_and_the_others_hear_who_and_until_when(
    desk: Claims,
) -> None:
    code = await desk.new_customer()
    plans = [
        await desk.filed(code, f"rival-{number}", unit_code=f"R{number:02}", manager_a=f"rival-{number}")
        for number in range(RIVALS)
    ]
    answers = await asyncio.gather(
        *(
            desk.post(f"/v1/plans/{plan['plan_id']}/review", {"decision": "register"}, "centre-nanjing")
            for plan in plans
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: RIVALS - 1}
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    told = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(one["code"], one["holder_unit"], one["until"], one["barred_until"]) for one in told} == {
        ("window_held", won["unit_code"], won["ends_at"], won["settled_at"])
    }
    windows = await desk.sql("SELECT plan_id, state FROM windows WHERE customer_code = :code", code=code)
    assert [tuple(row) for row in windows] == [(won["plan_id"], "active")]
    opened = [
        one for one in await desk.published("claims.events.v1", code) if one["event"] == "window_opened"
    ]
    assert [one["plan_id"] for one in opened] == [won["plan_id"]]


@pytest.mark.req("CLM-4")
async def test_units_that_file_and_wait_come_to_their_turn_one_after_another(desk: Claims) -> None:
    code = await desk.new_customer()
    answers = await asyncio.gather(
        *(
            desk.post(
                "/v1/plans",
                desk.plan(code, unit_code=f"R{number:02}", manager_a=f"rival-{number}", queue=True),
                f"rival-{number}",
            )
            for number in range(8)
        )
    )
    plans = [answer.json() for answer in answers]
    for _ in range(2):
        waiting = [plan for plan in plans if (await desk.read(plan))["state"] == "submitted"]
        await desk.review(waiting[0])
        assert [(await desk.read(plan))["queued"] for plan in waiting[1:]] == [True] * (len(waiting) - 1)
        await desk.ok(f"/v1/plans/{waiting[0]['plan_id']}/withdraw", None, "operator")
        assert not any([(await desk.read(plan))["queued"] for plan in plans])


window = st.tuples(
    st.integers(1, 3),
    st.integers(0, 40),
    st.integers(1, 30),
    st.sampled_from(["registered", "active", "settling", "expired", "withdrawn", "succeeded"]),
    st.one_of(st.none(), st.integers(0, 40)),
)


@pytest.mark.req("CLM-4")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(window, min_size=1, max_size=14))
async def test_the_database_takes_a_window_exactly_where_none_in_force_overlaps(
    desk: Claims, wanted: list[tuple[int, int, int, str, int | None]]
) -> None:
    """Written past all of our code, by several connections at once for each subject and one after another."""
    dsn = desk.database.dsn("claims_owner", "postgresql")
    connection = await asyncpg.connect(dsn)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SET CONSTRAINTS ALL DEFERRED")
        await connection.execute(
            "ALTER TABLE windows DROP CONSTRAINT windows_plan_id_fkey, DROP CONSTRAINT windows_subject_id_fkey"
        )
        taken: list[tuple[int, datetime, datetime]] = []
        for number, (subject, opens, length, state, closes) in enumerate(wanted):
            opens_at = DAY_0 + timedelta(days=opens)
            settled_at = opens_at + timedelta(days=length)
            closed_at = None if closes is None else DAY_0 + timedelta(days=closes)
            until = max(opens_at, min(settled_at, closed_at or settled_at))
            in_force = state in ("registered", "active", "settling")
            free = not any(
                subject == -other and opens_at < end and start < until and opens_at < until and start < end
                for other, start, end in taken
            )
            got = await connection.fetchval(
                TAKE, f"T{number}", -subject, state, opens_at, settled_at, settled_at, closed_at
            )
            assert (got is not None) == (free or not in_force)
            if got is not None and in_force:
                taken.append((-subject, opens_at, until))
        await transaction.rollback()
    finally:
        await connection.close()


@pytest.mark.req("CLM-4")
async def test_two_transactions_at_once_cannot_both_take_a_window(desk: Claims) -> None:
    code = await desk.new_customer()
    plans = [
        await desk.filed(code, f"rival-{number}", unit_code=f"R{number:02}", manager_a=f"rival-{number}")
        for number in range(2)
    ]
    (subject,) = await desk.sql("SELECT id FROM subjects WHERE customer_code = :code", code=code)
    dsn = desk.database.dsn("claims_writer", "postgresql")
    one, two = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        first, second = one.transaction(), two.transaction()
        await first.start()
        await second.start()
        values = ("active", DAY_0, DAY_0 + timedelta(days=9), DAY_0 + timedelta(days=10), None)
        assert await one.fetchval(TAKE, plans[0]["plan_id"], subject.id, *values) is not None
        waiting = asyncio.create_task(two.fetchval(TAKE, plans[1]["plan_id"], subject.id, *values))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done, "it waits for the other to end"
        await first.commit()
        assert await waiting is None
        await second.rollback()
    finally:
        await one.close()
        await two.close()
