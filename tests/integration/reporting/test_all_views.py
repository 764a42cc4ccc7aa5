"""Every view: a function of the set of events, and for each reader only what their role shows."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.reporting.handlers.build_views import TOPICS
from shared.auth.development import PEOPLE
from shared.auth.policy import Operation
from shared.contracts.envelope import Message
from shared.contracts.topics import dead_letter_topic
from shared.db import create_engine
from shared.kernel.days import LAST_DAY
from shared.scope import reading
from tests.support import reporting_events as told
from tests.support.reporting_model import differences, model
from tests.support.states import (
    NANJING,
    SUZHOU,
    THEN,
    HandlerBench,
    Sent,
    agreement,
    change,
    customer,
    poisons,
    tier,
    unit,
)

pytestmark = pytest.mark.engines

KEYS = {
    "unit_view": ("unit_code",),
    "customer_view": ("customer_code",),
    "customer_event_view": ("event_id",),
    "declaration_view": ("declaration_id",),
    "alert_view": ("event_id",),
    "tier_view": ("customer_code", "scheme"),
    "tier_movement_view": ("customer_code", "scheme", "version"),
    "revenue_year_view": ("customer_code", "year"),
    "revenue_view": ("customer_code", "year", "month", "line"),
    "suspense_view": ("source", "id", "customer_code", "counter_id", "line", "kind", "amount_fen"),
    "dead_letter_view": ("service", "origin_topic", "origin_partition", "origin_offset"),
    "plan_view": ("plan_id",),
    "window_view": ("window_key",),
    "claims_event_view": ("event_id",),
}
KUNSHAN = f"{SUZHOU}/320583"
PATHS = (SUZHOU, NANJING, KUNSHAN)


def happenings(chance: random.Random) -> list[Message | Sent]:
    """What four services might tell about a handful of customers: they move, merge in chains, are held, planned for,
    declared; states come in several versions, windows end and come again, dead letters are disposed of."""
    codes = ["A1", "A2", "A3", "A4"]
    sent: list[Message | Sent] = []
    for path in PATHS:
        sent += [unit(path.rpartition("/")[2], path, version=v, name_en=f"v{v}") for v in (1, 2)]
    for code in codes:
        for version in range(1, chance.randint(2, 4)):
            path = chance.choice(PATHS)
            manager = chance.choice(["manager", "manager-b", None])
            sent.append(customer(code, path, version=version, manager_a=manager, agreements=(agreement(),)))
    # A4 is not known before it survives; A1 and A2 end there over two steps, A3 goes round in a circle with nobody.
    sent += [
        customer("A1", version=9, status="merged", merged_into="A2"),
        customer("A2", NANJING, version=9, status="merged", merged_into="A5", aliases=("A1",)),
        customer("A5", KUNSHAN, version=9, manager_a="manager-b", aliases=("A1", "A2")),
        customer("A3", version=9, status="merged", merged_into="A6"),
    ]
    for code in (*codes, "A5", "A9"):
        sent += [
            tier(code, version=v, total_fen=v * 100, tier=chance.choice(["silver", "gold"])) for v in (1, 2)
        ]
        sent += [change(code, version=v) for v in (1, 2)]
        sent += [
            told.revenue(code, 2026, 1, (3, "express", 500), (4, "letters", -70)),
            told.revenue(code, 2026, 7, (3, "express", 900), (5, "parcels", 20)),
            told.revenue(code, 2025, 3, (12, "press", 11)),
            told.held(code, "1", counter_id=chance.choice(["3201", "X9"])),
            told.held(code, "2", amount_fen=7, reason="future_date"),
            told.held(
                code, "2", amount_fen=7, state="closed", decided_by="steward", at=THEN + timedelta(days=1)
            ),
            told.held(code, "3", state="released", booked_for=chance.choice(["A1", "A5"])),
            told.customer_event(code, "relocated"),
            told.claims_event("case_opened", code, plan_id=None, unit_code=None, case="late_agreement"),
            told.claims_event("window_opened", code, plan_id=f"P-{code}"),
            told.claims_event(
                "window_ending", code, plan_id="P-unknown", unit_code=chance.choice(["3201", "99"])
            ),
        ]
        path = chance.choice(PATHS)
        sent += [told.plan(f"P-{code}", v, path, customer_code=code, stage="proposal") for v in (1, 2)]
        sent += [told.window(code, f"P-{code}", path), told.window_gone(code), told.window(code, f"Q-{code}")]
        if chance.random() < 0.5:
            sent.append(told.window_gone(code))
    sent += [told.declaration(f"D{n}", v, chance.choice(PATHS)) for n in range(3) for v in (1, 2, 3)]
    sent += [told.alert(subject=f"D{n}", unit_code=chance.choice(["3205", "3201", "77"])) for n in range(3)]
    for n, service in enumerate(("registry", "tiering", "claims", "reporting")):
        origin = ("registry.units.v1", n, 5)
        sent += [told.letter(service, origin), told.letter(service, ("registry.units.v1", n, 6))]
        sent += [
            told.disposed(service, origin),
            told.disposed(service, ("registry.units.v1", n, 7), "replayed"),
        ]
    return sent


async def stored(bench: HandlerBench) -> dict[str, dict[Any, Any]]:
    """View → key → row."""
    reader = await asyncpg.connect(bench.database.dsn("verifier", "postgresql"))
    await reader.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    try:
        found: dict[str, dict[Any, Any]] = {}
        for view, key in KEYS.items():
            rows = [dict(row) for row in await reader.fetch(f"SELECT * FROM public.{view}")]
            of = (
                (lambda row, key=key: tuple(row[name] for name in key))
                if len(key) > 1
                else (lambda row, key=key: row[key[0]])
            )
            found[view] = {of(row): row for row in rows}
        return found
    finally:
        await reader.close()


@pytest.mark.req("REP-1")
@pytest.mark.parametrize("seed", range(4))
async def test_in_any_order_and_any_batches_the_views_are_the_plain_recomputation(
    views: HandlerBench, seed: int
) -> None:
    chance = random.Random(seed)
    sent = happenings(chance)
    sent += chance.sample(sent, 30)
    # What lies in one partition keeps its order there; it may still be read again, so any order can come.
    chance.shuffle(sent)
    records = views.records(sent)
    expected = model(sent, records)
    arriving = [*records, *chance.sample(records, 40)]
    chance.shuffle(arriving)
    while arriving:
        size = chance.choice([1, 3, 40, 200])
        await views.take(arriving[:size])
        arriving = arriving[size:]
    assert differences(expected, await stored(views)) == []
    assert await views.rows("SELECT count(*) FROM dead_letters") == [(0,)]


# Who sees what: role and unit on one side, and the rows of the events below on the other.
SUZHOUS, NANJINGS, ROOTS = "suzhou", "nanjing", "root"


def scoped() -> list[Message | Sent]:
    sent: list[Message | Sent] = [unit("3205"), unit("3201", NANJING)]
    for code, path, manager in (
        ("S1", SUZHOU, "manager"),
        ("S2", SUZHOU, "other"),
        ("N1", NANJING, "manager"),
    ):
        own = path.rpartition("/")[2]
        sent += [
            customer(code, path, manager_a=manager),
            tier(code),
            change(code),
            told.revenue(code, 2026, 1, (3, "express", 100)),
            told.held(code, counter_id="Z1"),
            told.customer_event(code),
            told.declaration(
                f"D-{code}",
                1,
                path,
                manager_a=manager,
                deciding_unit=own,
                deciding_path=path,
                declarer="nobody",
            ),
            told.plan(f"P-{code}", 1, path, manager_a=manager, customer_code=code),
            told.window(code, f"P-{code}", path),
            told.claims_event(subject=code, plan_id=f"P-{code}"),
            told.alert(subject=f"D-{code}", unit_code=own),
        ]
    sent += [told.held("nobody's", counter_id="Z1"), told.letter()]
    return sent


READS: dict[str, Operation] = {
    "customer_view": "customers.read",
    "tier_view": "tiers.read",
    "tier_movement_view": "tiers.read",
    "revenue_view": "customers.read",
    "customer_event_view": "customers.read",
    "declaration_view": "declarations.read",
    "plan_view": "plans.read",
    "claims_event_view": "plans.read",
    "suspense_view": "suspense.read",
    "window_view": "windows.read",
    "dead_letter_view": "dead_letters.read",
    "alert_view": "declarations.read",
}
_NAMED = {
    "declaration_view": "substr(declaration_id, 3)",
    "plan_view": "substr(plan_id, 3)",
    "claims_event_view": "subject",
    "window_view": "window_key",
    "dead_letter_view": "'a letter'",
    "alert_view": "substr(subject, 3)",
}


@pytest.mark.req("REP-19", "PLT-13")
@pytest.mark.parametrize(
    ("user", "own", "suspense", "windows", "letters", "alerts"),
    [
        ("centre", ["S1", "S2"], ["S1", "S2"], True, False, ["S1", "S2"]),
        ("centre-nanjing", ["N1"], ["N1"], True, False, ["N1"]),
        # A manager sees what is bound to them within their unit; suspense is not for managers, alerts are a unit's.
        ("manager", ["S1"], [], True, False, []),
        ("province", ["N1", "S1", "S2"], ["N1", "S1", "S2"], True, False, ["N1", "S1", "S2"]),
        # What belongs to no unit anybody knows is the root's.
        ("operator", ["N1", "S1", "S2"], ["N1", "S1", "S2", "nobody's"], True, True, ["N1", "S1", "S2"]),
        ("reviewer-kunshan", [], [], True, False, []),
        ("admin", [], [], False, False, []),
    ],
)
async def test_each_role_sees_its_own_rows_of_every_view(
    views: HandlerBench,
    user: str,
    own: list[str],
    suspense: list[str],
    windows: bool,
    letters: bool,
    alerts: list[str],
) -> None:
    await views.tell(*scoped())
    expected = {
        **dict.fromkeys(READS, own),
        "suspense_view": suspense,
        "window_view": ["N1", "S1", "S2"] if windows else [],
        "dead_letter_view": ["a letter"] if letters else [],
        "alert_view": alerts,
    }
    caller = next(person for person in PEOPLE if person.user == user)
    async with reader(views) as engine:
        found = {}
        for view, operation in READS.items():
            async with reading(engine, caller, operation) as connection:
                named = _NAMED.get(view, "customer_code")
                rows = await connection.exec_driver_sql(f"SELECT DISTINCT {named} FROM {view} ORDER BY 1")
                found[view] = [row[0] for row in rows]
    assert found == expected


@pytest.mark.req("REP-19")
async def test_whoever_reads_without_saying_for_whom_sees_nothing_and_never_the_shadow(
    views: HandlerBench,
) -> None:
    await views.tell(*scoped())
    raw = await asyncpg.connect(views.database.dsn("reporting_reader", "postgresql"))
    try:
        for view in READS:
            assert await raw.fetch(f"SELECT 1 FROM {view}") == [], view
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.fetch("SELECT 1 FROM shadow.customer_view")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.fetch("SELECT exchange_views()")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.fetch("SELECT 1 FROM rebuilds")
    finally:
        await raw.close()


@pytest.mark.req("REP-19")
async def test_a_declaration_is_seen_by_its_declarer_and_by_those_who_pre_review_and_decide_it(
    views: HandlerBench,
) -> None:
    await views.tell(
        told.declaration("D1", 1, NANJING, declarer="manager", deciding_unit="3205", deciding_path=SUZHOU),
        told.declaration("D2", 1, NANJING, declarer="other", deciding_unit="3201", deciding_path=NANJING),
        told.declaration("D3", 1, SUZHOU, declarer="manager", pre_review_unit="320583"),
        unit("320583", f"{SUZHOU}/320583"),
    )
    async with reader(views) as engine:
        for user, seen in (
            # D1 was declared by somebody whose role reaches its unit no more.
            ("manager", ["D3"]),
            ("reviewer-kunshan", ["D3"]),
            ("centre", ["D1", "D3"]),
            ("centre-nanjing", ["D1", "D2"]),
            ("reviewer", []),
            ("manager-b", []),
        ):
            caller = next(person for person in PEOPLE if person.user == user)
            async with reading(engine, caller, "declarations.read") as connection:
                rows = await connection.exec_driver_sql(
                    "SELECT declaration_id FROM declaration_view ORDER BY 1"
                )
                assert [row[0] for row in rows] == seen, user


@pytest.mark.req("REP-12")
async def test_nothing_on_a_dead_letter_topic_becomes_a_dead_letter_of_ours(views: HandlerBench) -> None:
    hostile: list[Sent | Message] = []
    for service in ("registry", "tiering", "claims", "reporting"):
        topic = dead_letter_topic(service)
        hostile += [
            Sent(None, None, (), topic),
            Sent(
                b"\xff",
                b"\xff\x00",
                (("x-reason", b"\x00\xff"), ("x-origin-topic", b"\xff\x00t"), ("\udcff", None)),
                topic,
            ),
            Sent(
                b"k",
                b'{"customer_code": "\\ud800"}',
                (("x-origin-topic", b"t"), ("x-origin-partition", b"9" * 400), ("x-origin-offset", b"-1")),
                topic,
            ),
            told.letter(
                service,
                ("t", 10**17, 10**17),
                b"{" * 300_000,
                "x" * 5_000,
                (("x-reason", None), ("a", b"\x00")),
            ),
            # One of ours about a dead letter: read again and again it would never end.
            told.letter(service, (topic, 0, 7)),
        ]
    records = await views.tell(*hostile)
    await views.take(records)
    assert await views.rows("SELECT count(*) FROM dead_letters") == [(0,)]
    assert await views.rows("SELECT count(*) FROM outbox") == [(0,)]
    assert await views.rows("SELECT service, count(*) FROM dead_letter_view GROUP BY 1 ORDER BY 1") == [
        (service, 4) for service in ("claims", "registry", "reporting", "tiering")
    ]


@pytest.mark.req("REP-12")
async def test_a_dead_letter_shows_whom_and_how_much_it_holds_up_where_that_can_be_read(
    views: HandlerBench,
) -> None:
    value = (
        b'{"customer_code": "3205000000011", "counter_id": "32050001", "line": "express", "kind": "gift", '
        b'"amount": "12.50", "occurred_at": "x"}'
    )
    ce = {"specversion": "1.0", "type": "keypost.counter.transaction.v1", "id": "1", "source": "/counters/1"}
    headers = tuple((f"ce_{name}", content.encode()) for name, content in ce.items())
    await views.tell(told.letter("tiering", value=value, headers=headers, reason="bad_field"))
    assert await views.rows(
        "SELECT reason, state, customer_code, counter_id, line, amount_fen, failed_at FROM dead_letter_view"
    ) == [("bad_field", "open", "3205000000011", "32050001", "express", 1250, THEN)]


@pytest.mark.req("PLT-6")
async def test_an_event_of_a_kind_that_came_later_is_passed_over(views: HandlerBench) -> None:
    for message in (told.customer_event("A1"), told.claims_event(), told.alert()):
        sent = Sent.of(message)
        value = (
            (sent.value or b"")
            .replace(b'"updated"', b'"blessed"')
            .replace(b'"window_opened"', b'"tender_won"')
        )
        await views.tell(
            Sent(sent.key, value.replace(b'"decision_due_soon"', b'"moon_is_full"'), sent.headers, sent.topic)
        )
    other = Sent.of(told.alert())
    headers = tuple({**dict(other.headers), "ce_type": b"keypost.registry.credit-alert.v1"}.items())
    await views.tell(Sent(other.key, b'{"a": 1}', headers, other.topic))
    for view in ("customer_event_view", "claims_event_view", "alert_view", "dead_letters"):
        assert await views.rows(f"SELECT count(*) FROM {view}") == [(0,)], view


async def test_poison_on_each_topic_of_states_becomes_one_dead_letter_beside_good_records(
    views: HandlerBench,
) -> None:
    # These name the customer; the others have no field that `poisons` could take away.
    kinds = [told.revenue("A1"), told.held("A1"), told.customer_event("A1")]
    wrong = [one for message in kinds for one in poisons(message).values()]
    records = await views.tell(*wrong, *kinds)
    await views.take(records)
    assert await views.rows("SELECT count(*) FROM dead_letters") == [(len(wrong),)]
    assert await views.rows("SELECT count(*) FROM customer_event_view") == [(1,)]


@pytest.mark.req("REP-2")
async def test_a_commit_says_which_views_it_changed(views: HandlerBench) -> None:
    listener = await asyncpg.connect(views.database.dsn("reporting_reader", "postgresql"))
    heard: list[str] = []
    await listener.add_listener("views", lambda *said: heard.append(str(said[3])))
    await views.tell(customer("A1"), told.plan(), told.letter())
    await listener.execute("SELECT 1")
    await listener.close()
    assert heard == ["customer_view,dead_letter_view,plan_view"]


async def test_the_largest_values_of_the_newer_contracts_can_be_stored(views: HandlerBench) -> None:
    wide, figure, largest = "𠀀" * 255, 10**20 - 1, 2**63 - 1
    await views.tell(
        told.revenue(
            "A1",
            largest,
            largest,
            (largest, "express", -figure, -(10**18), largest),
            (1, "express", 1),
            (1, "express", 2),
        ),
        told.held(
            "𠀀" * 32, wide, source=wide, counter_id=wide, amount_fen=10**12 - 1, business_date=LAST_DAY
        ),
        told.declaration(
            wide,
            largest,
            wide,
            unit_code="1",
            name=wide,
            expected_revenue_fen=figure,
            decision_seconds=largest,
        ),
        told.plan(
            wide, largest, wide, unit_code="1", name=wide, expected_revenue_fen=figure, rule_version=largest
        ),
        told.window(wide, wide, wide, unit_code="1", customer_code=None, version=largest),
        told.disposed(origin=(wide, largest, largest), dead_letter_id=largest),
    )
    assert await views.rows("SELECT month, amount_fen FROM revenue_view ORDER BY 1") == [
        (1, 3),
        (largest, -figure),
    ]
    assert await views.rows("SELECT count(*) FROM dead_letters") == [(0,)]


def test_every_topic_that_reporting_reads_feeds_a_view() -> None:
    from services.reporting.handlers.build_views import VIEWS

    assert set(TOPICS) == set(VIEWS)


@asynccontextmanager
async def reader(bench: HandlerBench) -> AsyncIterator[Any]:
    engine = create_engine(bench.database.reader, "tests")
    try:
        yield engine
    finally:
        await engine.dispose()
