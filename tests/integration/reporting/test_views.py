"""The views in PostgreSQL: a function of the events and not of their order, and for each reader only their own rows."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from shared.auth.development import PEOPLE
from shared.db import create_engine
from shared.kernel.days import FIRST_DAY, LAST_DAY
from shared.scope import reading
from tests.support.states import (
    NANJING,
    SUZHOU,
    THEN,
    HandlerBench,
    agreement,
    change,
    customer,
    poisons,
    tier,
    unit,
)

pytestmark = pytest.mark.engines

VIEWS = ("unit_view", "customer_view", "tier_view", "tier_movement_view", "view_freshness")
SCOPED = ("customer_view", "tier_view", "tier_movement_view")


async def everything(bench: HandlerBench) -> dict[str, list[Any]]:
    return {view: await bench.rows(f"SELECT * FROM {view} ORDER BY 1, 2, 3") for view in VIEWS}


def story() -> list[Any]:
    """A customer that moves to another unit, with two tiers that change, and a unit that is renamed."""
    return [
        unit(),
        unit(version=2, name_en="Suzhou City"),
        customer("A1"),
        customer("A1", path=NANJING, version=2, manager_a="manager-nanjing", agreements=(agreement(),)),
        tier("A1"),
        tier("A1", version=2, tier="gold", total_fen=20_000_000),
        tier("A1", version=2, tier="gold", total_fen=21_000_000, key_account=False),
        tier("A1", scheme="letters", version=0, tier="none", effective_on=None),
        change("A1"),
        change("A1", version=2, from_tier="silver", to_tier="gold"),
    ]


@pytest.mark.req("REP-1")
async def test_every_order_of_arrival_gives_the_same_views(views: HandlerBench) -> None:
    records = views.records(story())
    await views.take(records)
    expected = await everything(views)
    by_topic = [
        list(group)
        for _, group in itertools.groupby(sorted(records, key=lambda r: r.topic), lambda r: r.topic)
    ]
    for order in itertools.permutations(by_topic):
        await _empty(views)
        for batch in order:
            await views.take(batch)
        assert await everything(views) == expected
    await _empty(views)
    for record in reversed(records):
        await views.take([record])
    assert await everything(views) == expected


@pytest.mark.req("REP-1", "PLT-5")
async def test_duplicates_and_older_states_change_nothing(views: HandlerBench) -> None:
    records = await views.tell(*story())
    before = await everything(views)
    await views.take(records)
    await views.take(records[:1])
    await views.take(records[2:3])
    await views.take([record for record in records for _ in range(2)])
    assert await everything(views) == before
    assert await views.rows(
        "SELECT unit_path, manager_a, version, agreements_in_force FROM customer_view"
    ) == [(NANJING, "manager-nanjing", 2, 1)]
    assert await views.rows(
        "SELECT scheme, tier, total_fen, key_account, unit_path FROM tier_view ORDER BY 1"
    ) == [
        ("city-default", "gold", 21_000_000, False, NANJING),
        ("letters", "none", 5_000_000, True, NANJING),
    ]
    assert await views.rows("SELECT version, from_tier, to_tier FROM tier_movement_view ORDER BY 1") == [
        (1, "none", "silver"),
        (2, "silver", "gold"),
    ]
    assert await views.rows("SELECT version, name_en FROM unit_view") == [(2, "Suzhou City")]


@pytest.mark.req("REP-19")
async def test_a_tier_of_a_customer_not_yet_known_is_nobodys_until_the_customer_comes(
    views: HandlerBench,
) -> None:
    await views.tell(tier("A1"), change("A1"))
    assert await views.rows(
        "SELECT unit_path FROM tier_view UNION ALL SELECT unit_path FROM tier_movement_view"
    ) == [
        (None,),
        (None,),
    ]
    assert await _seen(views, "national") == {view: [] for view in SCOPED}
    await views.tell(customer("A1"))
    assert await _seen(views, "national") == {view: ["A1"] for view in SCOPED}


@pytest.mark.req("REP-19", "PLT-13")
@pytest.mark.parametrize(
    ("user", "codes"),
    [
        ("centre", ["K1", "S1", "S2"]),
        ("centre-nanjing", ["N1"]),
        ("reviewer-kunshan", ["K1"]),
        ("province", ["K1", "N1", "S1", "S2"]),
        ("auditor", ["K1", "N1", "S1", "S2"]),
        ("manager", ["K1", "S1"]),
        ("manager-nanjing", []),
        ("admin", []),
    ],
)
async def test_a_hand_written_select_sees_the_rows_of_the_callers_units_only(
    views: HandlerBench, user: str, codes: list[str]
) -> None:
    states = [
        customer("S1"),
        customer("S2", manager_a="manager-b"),
        customer("K1", path=f"{SUZHOU}/320583", manager_a=None, manager_b="manager"),
        # Bound to a manager of Suzhou, but Nanjing's: the manager's role does not reach there.
        customer("N1", path=NANJING),
        customer("X1", path="/XX", manager_a=None),
    ]
    await views.tell(
        *states, *(tier(s.customer_code) for s in states), *(change(s.customer_code) for s in states)
    )
    assert await _seen(views, user) == dict.fromkeys(SCOPED, codes)


@pytest.mark.req("REP-19")
async def test_units_whose_codes_begin_alike_or_hold_wildcards_are_kept_apart(views: HandlerBench) -> None:
    await views.tell(
        customer("C1", path="/CN/32/3205x"), customer("C2", path="/CN/32/32_5"), customer("C3", path=SUZHOU)
    )
    assert (await _seen(views, "centre"))["customer_view"] == ["C3"]
    raw = await asyncpg.connect(views.database.dsn("reporting_reader", "postgresql"))
    async with raw.transaction():
        await raw.execute("SELECT set_config('app.unit_paths', '/CN/32/32_5', true)")
        assert [row[0] for row in await raw.fetch("SELECT customer_code FROM customer_view")] == ["C2"]
    # The setting ended with its transaction.
    assert await raw.fetch("SELECT 1 FROM customer_view") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await raw.execute("DELETE FROM tier_view")
    await raw.close()


async def test_a_tier_change_once_stored_cannot_be_altered_by_the_writer(views: HandlerBench) -> None:
    await views.tell(change("A1"))
    async with views.engine.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.exec_driver_sql("UPDATE tier_movement_view SET to_tier = 'gold'")
    async with views.engine.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.exec_driver_sql("DELETE FROM tier_movement_view")


async def test_the_largest_values_that_the_contracts_allow_can_be_stored(views: HandlerBench) -> None:
    wide = "𠀀" * 255
    code = "𠀀" * 32
    largest = 2**63 - 1
    early, late = datetime(1902, 1, 2, tzinfo=UTC), datetime(2199, 12, 31, 15, 59, 59, tzinfo=UTC)
    figure = 10**20 - 1
    await views.tell(
        unit(code=code, path=wide, version=largest, name_zh=wide, valid_from=FIRST_DAY, valid_to=LAST_DAY),
        customer(
            code, path=wide, unit_code=code, version=largest, name=wide, registered_at=early, as_of=late
        ),
        tier(
            code,
            scheme=wide,
            version=largest,
            total_fen=figure,
            effective_on=FIRST_DAY,
            as_of=late,
            period=wide,
        ),
        change(
            code, scheme=wide, version=largest, total_fen=-figure, effective_on=LAST_DAY, decided_at=early
        ),
    )
    assert await views.rows(
        "SELECT (SELECT total_fen FROM tier_view), total_fen, decided_at FROM tier_movement_view"
    ) == [(figure, -figure, early)]
    assert await views.rows("SELECT count(*) FROM dead_letters") == [(0,)]


async def test_each_poison_becomes_one_dead_letter_also_when_it_is_read_again(views: HandlerBench) -> None:
    wrong = [
        one
        for message in (unit(), customer("A1"), tier("A1"), change("A1"))
        for one in poisons(message).values()
    ]
    records = await views.tell(*wrong, customer("A1"))
    await views.take(records)
    assert await views.rows(
        "SELECT reason, count(*) FROM dead_letters GROUP BY reason ORDER BY reason"
    ) == sorted((reason, 4) for reason in poisons(unit()))
    assert await views.rows("SELECT count(*) FROM outbox") == [(len(wrong),)]
    assert await views.rows("SELECT customer_code FROM customer_view") == [("A1",)]


@pytest.mark.req("REP-2")
async def test_freshness_tells_offset_and_event_time_and_never_goes_back(views: HandlerBench) -> None:
    records = await views.tell(tier("A1"), tier("A2"))
    await views.take(records[:1])
    assert await views.rows("SELECT * FROM view_freshness") == [("tier_view", "tiering.tiers.v1", 0, 1, THEN)]


async def test_a_batch_of_thousands_is_a_few_statements(views: HandlerBench) -> None:
    codes = [f"C{number:05d}" for number in range(2_000)]
    records = views.records([*(customer(code) for code in codes), *(tier(code) for code in codes)])
    statements: list[str] = []

    async with views.unit_of_work.begin(consumer="test") as work:
        connection = await work.raw()

        with connection.query_logger(lambda query: statements.append(query.query.split("(")[0].strip())):
            await views.handler.handle(work, records)
    # Beside ours the driver looks up types, once for each connection.
    ours = [
        statement
        for statement in statements
        if "current_setting" not in statement and "typeinfo" not in statement
    ]
    # The lock, customers, those merged into them, survivors, tiers, what follows a customer (three), freshness, the news.
    assert len(ours) == 10, ours
    assert await views.rows("SELECT count(*), count(unit_path) FROM tier_view") == [(2_000, 2_000)]


async def _seen(bench: HandlerBench, user: str) -> dict[str, list[str]]:
    """The codes that a SELECT without any condition gives to `reporting_reader` reading for this user."""
    caller = next(person for person in PEOPLE if person.user == user)
    engine = create_engine(bench.database.reader, "tests")
    found = {}
    try:
        async with reading(engine, caller, "customers.read") as connection:
            for view in SCOPED:
                rows = await connection.exec_driver_sql(f"SELECT customer_code FROM {view} ORDER BY 1")
                found[view] = [row[0] for row in rows]
    finally:
        await engine.dispose()
    return found


async def _empty(bench: HandlerBench) -> None:
    owner = await asyncpg.connect(bench.database.dsn("reporting_owner", "postgresql"))
    await owner.execute(f"TRUNCATE {', '.join(VIEWS)}")
    await owner.close()
