"""Whose a counter is: what its codes mean, who may publish for it, and who sees what it has held (REG-10, TIE-5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import pytest

from shared.clock import SHANGHAI
from tests.integration.tiering.conftest import MakeBench
from tests.integration.tiering.test_http import CODE, Tiering, sale, tiering
from tests.integration.tiering.test_ledger_against_model import agrees
from tests.support.ledger_bench import LedgerBench
from tests.support.model import CounterCode, Customer, Model, Transaction
from tests.support.streams import Dice

__all__ = ["tiering"]

pytestmark = pytest.mark.engines

START = datetime(2026, 3, 10, 9, tzinfo=SHANGHAI)
SUZHOU, NANJING, PROVINCE = "3205000000011", "3201000000019", "3200000000013"
LOCAL = "000123"
GUANQIAN, KUNSHAN, XINJIEKOU, UNLISTED = "32050001", "32058301", "32010001", "X-9"
PATHS = {
    "32": "/CN/32",
    "3201": "/CN/32/3201",
    "3205": "/CN/32/3205",
    "320583": "/CN/32/3205/320583",
    GUANQIAN: f"/CN/32/3205/{GUANQIAN}",
    KUNSHAN: f"/CN/32/3205/320583/{KUNSHAN}",
    XINJIEKOU: f"/CN/32/3201/{XINJIEKOU}",
}


def sold(number: int, counter: str, code: str = LOCAL, fen: int = 100) -> Transaction:
    return Transaction(f"/counters/{counter}", f"t-{number}", code, "express", fen, START, counter_id=counter)


async def publish(bench: LedgerBench, transactions: list[Transaction]) -> None:
    headers = [("content-type", b"application/cloudevents+json")]
    await bench.publish([(None, orjson.dumps(_event(one)), headers) for one in transactions])


def _event(one: Transaction) -> dict[str, Any]:
    event = sale(one.id, f"{one.fen / 100:.2f}", code=one.customer_code, counter_id=one.counter_id)
    event["data"]["occurred_at"] = one.occurred_at.isoformat()
    return event | {"source": one.source}


@pytest.mark.req("REG-10", "TIE-5")
async def test_one_code_means_one_customer_at_the_counters_of_each_city(make_bench: MakeBench) -> None:
    bench = await make_bench(START)
    await bench.tell_units(*PATHS.values())
    await publish(bench, [sold(1, GUANQIAN), sold(2, XINJIEKOU)])
    await bench.tell([Customer(SUZHOU, "3205", counter_codes=(CounterCode(LOCAL, unit_code="3205"),))])
    assert [(one[0], one[1]) for one in await bench.held()] == [(f"/counters/{XINJIEKOU}", "t-2")]
    await bench.tell([Customer(NANJING, "3201", counter_codes=(CounterCode(LOCAL, unit_code="3201"),))])
    await publish(bench, [sold(3, XINJIEKOU), sold(4, KUNSHAN)])
    booked = await bench.rows("SELECT l.id, a.code FROM ledger l JOIN accounts a ON a.number = l.account")
    assert {(row.id, row.code) for row in booked} == {
        ("t-1", SUZHOU),
        ("t-2", NANJING),
        ("t-3", NANJING),
        ("t-4", SUZHOU),
    }


@pytest.mark.req("REG-10")
async def test_the_narrowest_mapping_that_covers_a_counter_holds(make_bench: MakeBench) -> None:
    bench = await make_bench(START)
    await bench.tell_units(*PATHS.values())
    await bench.tell(
        [
            Customer(PROVINCE, "32", counter_codes=(CounterCode(LOCAL),)),
            Customer(SUZHOU, "3205", counter_codes=(CounterCode(LOCAL, unit_code="3205"),)),
            Customer(NANJING, "3201", counter_codes=(CounterCode(LOCAL, counter_id=KUNSHAN),)),
        ]
    )
    await publish(bench, [sold(n, at) for n, at in enumerate((GUANQIAN, KUNSHAN, XINJIEKOU, UNLISTED))])
    booked = await bench.rows(
        "SELECT a.code FROM ledger l JOIN accounts a ON a.number = l.account ORDER BY l.id"
    )
    assert [row.code for row in booked] == [SUZHOU, NANJING, PROVINCE, PROVINCE]


@pytest.mark.req("REG-10", "TIE-5")
async def test_what_a_counter_sent_before_its_unit_was_known_is_booked_when_it_is(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(START)
    await bench.tell([Customer(SUZHOU, "3205", counter_codes=(CounterCode(LOCAL, unit_code="320583"),))])
    await publish(bench, [sold(1, KUNSHAN)])
    assert len(await bench.held()) == 1
    await bench.tell_units("/CN/32/3205", PATHS["320583"])
    assert len(await bench.held()) == 1, "the outlet itself is not known yet"
    await bench.tell_units(PATHS[KUNSHAN])
    assert await bench.held() == []
    assert await bench.booked() == [(f"/counters/{KUNSHAN}", "t-1")]


@pytest.mark.req("TIE-24", "REG-10")
@pytest.mark.parametrize(("batch", "seed"), [(1, 5), (7, 6), (500, 7)])
async def test_mappings_of_any_scope_that_come_and_go_give_the_models_ledger(
    make_bench: MakeBench, batch: int, seed: int
) -> None:
    bench, model, dice = await make_bench(START, batch=batch, remembered=2), Model(START), Dice(seed)
    await bench.tell_units(*PATHS.values())
    customers = {code: Customer(code, unit) for code, unit in ((SUZHOU, "3205"), (NANJING, "3201"))}
    scopes = (None, "32", "3205", "3201", "320583", KUNSHAN)
    number = 0
    for _ in range(12):
        code = dice.pick(list(customers))
        scope = dice.pick(scopes)
        taken = [mapping for one in customers.values() for mapping in one.counter_codes]
        mapping = CounterCode(LOCAL, unit_code=scope)
        if scope == KUNSHAN:
            mapping = CounterCode(LOCAL, counter_id=KUNSHAN)
        if mapping not in taken:
            customers[code] = replace(
                customers[code], counter_codes=(*customers[code].counter_codes, mapping)
            )
        elif dice.per_mille(500):
            customers[code] = replace(customers[code], counter_codes=customers[code].counter_codes[1:])
        sales = [
            sold(number + offset, dice.pick((GUANQIAN, KUNSHAN, XINJIEKOU, UNLISTED)), fen=1 + dice.roll(999))
            for offset in range(9)
        ]
        number += len(sales)
        model.play(sales)
        await publish(bench, sales)
        model.do(customers[code])
        await bench.tell([customers[code]])
    assert len({booking.customer for booking in model.ledger}) == 2
    assert model.suspense
    await agrees(bench, model)


@pytest.mark.req("PLT-13")
async def test_a_transaction_outside_the_callers_units_is_refused_and_its_neighbours_are_not(
    tiering: Tiering,
) -> None:
    await tiering.bench.tell_units(*PATHS.values())
    await tiering.bench.tell([Customer(NANJING, "3201", 1)])
    events = [
        sale("h-1", "1"),
        sale("h-2", "1", code=NANJING),
        sale("h-3", "1", counter_id=XINJIEKOU),
        sale("h-4", "1", code="nobody's", counter_id=KUNSHAN),
        sale("h-5", "1", code="nobody's", counter_id="elsewhere"),
        sale("h-6", "x"),
    ]

    async def accepted(user: str) -> list[str]:
        answer = await tiering.post("/v1/transactions", events, user)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["accepted"] + found["rejected"] == len(events)
        assert found["items"][5]["reason"] == "bad_field"
        refused = [one for one in found["items"][:5] if one["status"] == "rejected"]
        assert all(one["reason"] == "out_of_scope" and one["detail"] for one in refused)
        return [one["id"] for one in found["items"] if one["status"] == "accepted"]

    assert await accepted("steward") == ["h-1", "h-4"]
    rows = await tiering.bench.rows("SELECT 1 FROM outbox WHERE topic = 'counter.transactions.v1'")
    assert len(rows) == 2
    assert await accepted("service:counter-suzhou") == ["h-1", "h-4"]
    assert await accepted("service:counter") == ["h-1", "h-2", "h-3", "h-4", "h-5"]
    assert await accepted("operator") == ["h-1", "h-2", "h-3", "h-4", "h-5"]
    for machine in ("service:subscriber", "service:verifier", "service:tiering", "centre", "manager"):
        assert (await tiering.post("/v1/transactions", events, machine)).status_code == 403


@pytest.mark.req("PLT-13")
async def test_a_counter_system_cannot_take_another_ones_next_number(tiering: Tiering) -> None:
    await tiering.bench.tell_units(*PATHS.values())
    stolen = sale("next", "0.01") | {"source": "/counters/320100"}
    answer = await tiering.post("/v1/transactions", [stolen], "service:counter-suzhou")
    (item,) = answer.json()["items"]
    assert (item["status"], item["reason"]) == ("rejected", "out_of_scope")
    assert "source" in item["detail"]


@pytest.mark.req("TIE-5", "PLT-13")
async def test_a_city_sees_and_decides_what_its_own_counters_have_held(tiering: Tiering) -> None:
    """The rule by which reporting counts: the counter's unit, else the customer's, else the root's."""
    await tiering.bench.tell_units(*PATHS.values())
    await tiering.bench.tell([Customer(NANJING, "3201", 1, status="retired")])
    await tiering.sell("own", "1", code="L-1", counter_id=GUANQIAN)
    await tiering.sell("county", "1", code="3205000000099", counter_id=KUNSHAN)
    await tiering.sell("theirs", "1", code="L-1", counter_id=XINJIEKOU)
    await tiering.sell("customer", "1", code=NANJING, counter_id="not listed")
    await tiering.sell("root", "1", code="L-2", counter_id="not listed")

    async def seen(user: str) -> list[str]:
        answer = await tiering.get("/v1/suspense", user)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert await seen("steward") == await seen("centre") == ["own", "county"]
    assert await seen("centre-nanjing") == ["theirs", "customer"]
    assert await seen("province") == ["own", "county", "theirs", "customer"]
    assert await seen("operator") == ["own", "county", "theirs", "customer", "root"]
    items = {one["id"]: one for one in (await tiering.get("/v1/suspense")).json()["items"]}
    body = {"decision": "close", "comment": "a mistyped code"}
    foreign = await tiering.post(f"/v1/suspense/{items['theirs']['number']}/decision", body, "steward")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "not_in_suspense")
    own = await tiering.post(f"/v1/suspense/{items['own']['number']}/decision", body, "steward")
    assert own.json()["state"] == "closed"


@pytest.mark.req("PLT-12", "TIE-21")
async def test_a_subscriber_reads_tiers_and_not_the_bookings_behind_them(tiering: Tiering) -> None:
    await tiering.sell("t-1", "15000")
    machine = "service:subscriber"
    path = f"/v1/customers/{CODE}/tiers"
    assert (await tiering.get(path, machine)).json()["tiers"][0]["tier"] == "ordinary"
    assert len((await tiering.get("/v1/tier-changes", machine)).json()["items"]) == 1
    assert (await tiering.get(f"{path}?explain=true", machine)).status_code == 403
    for other in ("/v1/suspense", "/v1/dead-letters"):
        assert (await tiering.get(other, machine)).status_code == 403
    assert (await tiering.get("/v1/tier-changes", "service:counter")).status_code == 403
