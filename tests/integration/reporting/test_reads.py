"""What the console and programs read: pages, figures, files, each within the caller's scope."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import openpyxl
import pytest

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads import alerts as alerts_reads
from services.reporting.adapters.reads import customer360 as customer360_reads
from services.reporting.adapters.reads import customers as customers_reads
from services.reporting.adapters.reads import dashboard as dashboard_reads
from services.reporting.adapters.reads import dead_letters as dead_letters_reads
from services.reporting.adapters.reads import declarations as declarations_reads
from services.reporting.adapters.reads import movements as movements_reads
from services.reporting.adapters.reads import plans as plans_reads
from services.reporting.adapters.reads import revenue as revenue_reads
from services.reporting.adapters.reads import suspense as suspense_reads
from services.reporting.adapters.reads import windows as windows_reads
from services.reporting.adapters.reads.alerts import AlertFilter
from services.reporting.adapters.reads.customers import CustomerFilter
from services.reporting.adapters.reads.dead_letters import DeadLetterFilter
from services.reporting.adapters.reads.declarations import DeclarationFilter
from services.reporting.adapters.reads.plans import PlanFilter
from services.reporting.adapters.reads.revenue import RevenueFilter
from services.reporting.adapters.reads.suspense import SuspenseFilter
from services.reporting.entrypoints import answers
from services.reporting.entrypoints.answers import Answer
from services.reporting.entrypoints.customer_answers import Customer360
from shared.auth.development import PEOPLE
from shared.auth.principals import Principal
from shared.contracts.fields import printed_instant
from shared.db import create_engine
from shared.money import format_yuan
from shared.problems import Problem
from tests.support import reporting_events as told
from tests.support.engines import Engines
from tests.support.services import ServiceProcess
from tests.support.states import (
    NANJING,
    SUZHOU,
    THEN,
    HandlerBench,
    agreement,
    change,
    customer,
    publish,
    tier,
    unit,
)
from tests.support.waiting import until

pytestmark = pytest.mark.engines


class Standing:
    """A clock that stands at one instant."""

    def __init__(self, hours: int = 40) -> None:
        self._at = THEN + timedelta(hours=hours)

    def now(self) -> datetime:
        return self._at


@pytest.fixture
async def read(views: HandlerBench) -> AsyncIterator[Reads]:
    engine = create_engine(views.database.reader, "tests")
    yield Reads(engine, Standing())
    await engine.dispose()


def person(user: str) -> Principal:
    return next(one for one in PEOPLE if one.user == user)


CENTRE, OPERATOR, MANAGER = person("centre"), person("operator"), person("manager")


def printed(value: Any) -> Any:
    """What was read in the words of the contracts: `amount_fen` becomes `amount` in yuan, instants those of Shanghai."""
    match value:
        case dict():
            return {
                name.removesuffix("_fen"): format_yuan(each)
                if name.endswith("_fen") and each is not None
                else printed(each)
                for name, each in value.items()
            }
        case list():
            return [printed(each) for each in value]
        case datetime():
            return printed_instant(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
    return value


def answers_all(model: type[Answer], found: Any) -> None:
    """Everything that was read is answered, and nothing else."""
    assert model.model_validate(found).model_dump(mode="json") == printed(found)


async def all_pages(fetch: Any) -> list[dict[str, Any]]:
    """Every row of a list, two at a time."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = await fetch(cursor, 2)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.req("REP-3")
async def test_a_merged_customer_is_answered_under_its_survivor_with_all_that_it_had(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit(),
        customer("N1", NANJING, version=2, status="merged", merged_into="S1", manager_a=None),
        customer(
            "S1", version=3, aliases=("N1",), agreements=(agreement(), agreement("XY-0", state="ended"))
        ),
        tier("S1"),
        tier("N1", tier="none"),
        change("N1"),
        change("S1", version=1, decided_at=THEN + timedelta(days=1)),
        told.revenue("N1", 2026, 1, (3, "express", 100)),
        told.revenue("S1", 2026, 1, (3, "express", 500), (4, "press", 1)),
        told.customer_event("N1", "merged", merged_into="S1"),
        told.plan("P1", customer_code="N1"),
        told.window("S1"),
        told.declaration("D1", customer_code="N1", state="approved", waiting_for=None),
        told.held("N1", counter_id="Z"),
        told.claims_event(subject="N1"),
    )
    for asked in ("S1", "N1"):
        # The centre of Suzhou never saw the customer of Nanjing, and sees what it brought along.
        found = await customer360_reads.customer360(read, CENTRE, asked)
        assert found is not None
        assert (found["asked"], found["customer"]["customer_code"], found["codes"]) == (
            asked,
            "S1",
            ["S1", "N1"],
        )
        assert [(row["month"], row["line"], row["amount_fen"]) for row in found["revenue"]] == [
            (3, "express", 600),
            (4, "press", 1),
        ]
        assert [row["customer_code"] for row in found["movements"]] == ["N1", "S1"]
        assert [one["state"] for one in found["agreements"]] == ["in_force", "ended"]
        assert [
            len(found[part]) for part in ("tiers", "plans", "windows", "events", "suspense", "claims_events")
        ] == [1] * 6
        assert found["declaration"]["declaration_id"] == "D1" and found["declaration"]["hours_left"] is None
        answers_all(Customer360, found)
    assert (await customer360_reads.customer360(read, person("centre-nanjing"), "S1")) is None
    assert (await customer360_reads.customer360(read, MANAGER, "S1") or {})["suspense"] == []


@pytest.mark.req("REP-4", "REP-10", "REP-12")
async def test_the_dashboard_adds_up_within_the_callers_scope_and_leaves_out_what_the_role_does_not_show(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit(),
        unit("3201", NANJING),
        customer("S1", agreements=(agreement(),)),
        customer("S2", kind="potential", manager_a="manager-b"),
        customer("S3", status="merged", merged_into="S1"),
        customer("N1", NANJING),
        tier("S1", tier="gold"),
        tier("S2", tier="none", key_account=False),
        tier("N1"),
        change("S1"),
        told.revenue("S1", 2026, 1, (1, "express", 300), (2, "press", 50)),
        told.revenue("S1", 2025, 1, (1, "express", 200), (3, "express", 7)),
        told.revenue("N1", 2026, 1, (1, "express", 1_000)),
        told.declaration("D1"),
        told.declaration("D2", due_at=THEN + timedelta(hours=39)),
        told.declaration("D3", state="approved", waiting_for=None, decided_at=THEN, decision_seconds=60),
        told.plan("P1", ends_at=THEN + timedelta(days=3)),
        told.plan("P2", state="settling"),
        told.held("S1", counter_id="Z"),
        told.held("nobody", amount_fen=11),
        told.letter(),
    )
    shown = await dashboard_reads.dashboard(read, CENTRE)
    answers_all(answers.Dashboard, shown)
    assert shown["customers"] == {
        "total": 2,
        "potential": 1,
        "active": 1,
        "key_accounts": 1,
        "with_agreement": 1,
    }
    assert shown["tiers"] == [{"scheme": "city-default", "tier": "gold", "count": 1}]
    assert (shown["revenue"]["year"], shown["revenue"]["total_fen"], shown["revenue"]["last_year_fen"]) == (
        2026,
        350,
        207,
    )
    assert shown["revenue"]["by_month"] == [
        {"month": 1, "amount_fen": 300, "last_year_fen": 200},
        {"month": 2, "amount_fen": 50, "last_year_fen": None},
        {"month": 3, "amount_fen": None, "last_year_fen": 7},
    ]
    assert {name: shown["declarations"][name] for name in ("open", "due_soon", "breached", "decided")} == {
        "open": 2,
        "due_soon": 1,
        "breached": 1,
        "decided": 1,
    }
    assert {name: shown["windows"][name] for name in ("active", "ending_7d", "settling")} == {
        "active": 1,
        "ending_7d": 1,
        "settling": 1,
    }
    assert (shown["suspense"]["held"], shown["suspense"]["amount_fen"], shown["dead_letters"]) == (
        1,
        8_800,
        None,
    )
    assert len(shown["movements"]) == 1 and shown["as_of"] == THEN
    everything = await dashboard_reads.dashboard(read, OPERATOR)
    answers_all(answers.Dashboard, everything)
    assert (everything["suspense"]["held"], everything["dead_letters"]["open"]) == (2, 1)
    assert everything["suspense"]["by_reason"][0]["amount_fen"] == 8_811
    assert [age["count"] for age in everything["suspense"]["by_age"]] == [0, 2, 0, 0]
    own = await dashboard_reads.dashboard(read, MANAGER)
    answers_all(answers.Dashboard, own)
    assert (own["customers"]["total"], own["suspense"], own["dead_letters"]) == (1, None, None)
    nothing = await dashboard_reads.dashboard(read, person("manager-nanjing"))
    assert nothing["revenue"] == {
        "year": 2026,
        "total_fen": None,
        "last_year_fen": None,
        "by_month": [],
        "by_line": [],
    }


@pytest.mark.req("REP-4")
async def test_revenue_is_grouped_by_unit_below_the_asked_one_month_line_customer_and_tier(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit("CN", "/CN", parent=None),
        unit("32", "/CN/32", parent="CN"),
        unit(),
        unit("3201", NANJING),
        customer("S1"),
        customer("K1", f"{SUZHOU}/320583"),
        customer("N1", NANJING),
        tier("S1"),
        *(told.revenue(code, 2026, 1, (1, "express", 100), (2, "press", 10)) for code in ("S1", "K1", "N1")),
        told.revenue("S1", 2025, 1, (2, "press", 4)),
    )
    below = await revenue_reads.revenue(read, OPERATOR, "32", 2026, "unit")
    answers_all(answers.Revenue, below)
    by_unit = below["rows"]
    assert [(row["unit_path"], row["unit_code"], row["amount_fen"], row["customers"]) for row in by_unit] == [
        (NANJING, "3201", 110, 1),
        (SUZHOU, "3205", 220, 2),
    ]
    whole = await revenue_reads.revenue(read, OPERATOR, None, 2026, "unit")
    assert [(row["unit_path"], row["amount_fen"]) for row in whole["rows"]] == [("/CN/32", 330)]
    assert (whole["total_fen"], whole["last_year_fen"]) == (330, 4)
    inside = (await revenue_reads.revenue(read, CENTRE, "3205", 2026, "unit"))["rows"]
    assert [(row["unit_path"], row["name_zh"], row["amount_fen"]) for row in inside] == [
        (SUZHOU, "苏州市分公司", 110),
        (f"{SUZHOU}/320583", None, 110),
    ]
    for group, sums in (
        ("month", {1: 200, 2: 20}),
        ("line", {"express": 200, "press": 20}),
        ("customer", {"K1": 110, "S1": 110}),
        ("industry", {None: 220}),
        ("tier", {"silver": 110}),
    ):
        year = await revenue_reads.revenue(read, CENTRE, None, 2026, group)  # type: ignore[arg-type]
        answers_all(answers.Revenue, year)
        rows = year["rows"]
        key = "customer_code" if group == "customer" else group
        assert {row[key]: row["amount_fen"] for row in rows} == sums, group
    assert (await revenue_reads.revenue(read, CENTRE, None, 2026, "month", "press"))["total_fen"] == 20
    figures = await all_pages(
        lambda at, most: revenue_reads.revenue_rows(read, CENTRE, RevenueFilter(year=2026), at, most)
    )
    assert [(row["customer_code"], row["month"]) for row in figures] == [
        ("K1", 1),
        ("K1", 2),
        ("S1", 1),
        ("S1", 2),
    ]


@pytest.mark.req("REP-7")
async def test_the_matrix_shows_from_where_to_where_customers_moved_in_a_period(
    views: HandlerBench, read: Reads
) -> None:
    def step(code: str, version: int, to: str, on: date) -> Any:
        return change(code, version=version, to_tier=to, effective_on=on)

    await views.tell(
        *(customer(code) for code in ("A", "B", "C", "D")),
        step("A", 1, "silver", date(2026, 1, 5)),
        step("A", 2, "gold", date(2026, 3, 1)),
        step("B", 1, "silver", date(2026, 3, 31)),
        step("C", 1, "silver", date(2026, 1, 1)),
        step("D", 1, "gold", date(2026, 4, 1)),
    )
    matrix = await movements_reads.tier_matrix(
        read, CENTRE, "city-default", date(2026, 3, 1), date(2026, 3, 31)
    )
    answers_all(answers.TierMatrix, matrix)
    assert [
        (
            cell["from_tier"],
            cell["to_tier"],
            cell["count"],
            [one["customer_code"] for one in cell["customers"]],
        )
        for cell in matrix["cells"]
    ] == [("none", "silver", 1, ["B"]), ("silver", "gold", 1, ["A"]), ("silver", "silver", 1, ["C"])]
    assert (
        await movements_reads.tier_matrix(
            read, CENTRE, "city-default", date(2026, 3, 1), date(2026, 3, 31), "3201"
        )
    )["cells"] == []


@pytest.mark.req("REP-10")
async def test_lists_page_without_loss_or_repetition_in_the_order_of_urgency(
    views: HandlerBench, read: Reads
) -> None:
    hours = {"D1": 48, "D2": 30, "D3": 30}
    await views.tell(
        unit(),
        *(told.declaration(name, due_at=THEN + timedelta(hours=left)) for name, left in hours.items()),
        told.declaration(
            "D4", state="draft", waiting_for="declarer", due_at=None, submitted_at=None, declarer="centre"
        ),
        told.declaration("D5", state="approved", waiting_for=None, decided_at=THEN),
        *(told.plan(f"P{n}", state="submitted", due_at=THEN, customer_code=f"C{n}") for n in range(5)),
        told.plan("P9", submitted_at=None, state="draft", manager_a="manager-b"),
        *(told.held(f"C{n}", counter_id="3205") for n in range(5)),
        *(told.letter(origin=("t", 0, n)) for n in range(5)),
        told.disposed(origin=("t", 0, 4)),
    )

    def declared(asked: DeclarationFilter) -> Any:
        return all_pages(lambda at, most: declarations_reads.declarations(read, CENTRE, asked, at, most))

    everything = await declared(DeclarationFilter())
    assert [(row["declaration_id"], row["hours_left"]) for row in everything] == [
        ("D3", -10.0),
        ("D2", -10.0),
        ("D1", 8.0),
        ("D5", None),
        ("D4", None),
    ]
    # Time goes on while somebody turns the pages: a cursor holds at every instant.
    page = await declarations_reads.declarations(read, CENTRE, DeclarationFilter(), None, 2)
    later = Reads(read.reader, Standing(hours=41))
    page = await declarations_reads.declarations(later, CENTRE, DeclarationFilter(), page.next_cursor, 2)
    assert [(row["declaration_id"], row["hours_left"]) for row in page.items] == [("D1", 7.0), ("D5", None)]
    for asked, names in (
        (DeclarationFilter(standing="breached"), ["D3", "D2"]),
        (DeclarationFilter(standing="due_soon"), ["D1"]),
        (DeclarationFilter(mine=True), ["D4"]),
        (DeclarationFilter(standing="decided"), ["D5"]),
        (
            DeclarationFilter(q="丝绸", unit="3205", waiting_for="centre", state="submitted"),
            ["D3", "D2", "D1"],
        ),
    ):
        assert [row["declaration_id"] for row in await declared(asked)] == names
    plans = await all_pages(lambda at, most: plans_reads.plans(read, CENTRE, PlanFilter(), at, most))
    assert [row["plan_id"] for row in plans] == ["P4", "P3", "P2", "P1", "P0", "P9"]
    overdue = await all_pages(
        lambda at, most: plans_reads.plans(
            read, CENTRE, PlanFilter(standing="overdue", unit="3205"), at, most
        )
    )
    assert len(overdue) == 5
    mine = await all_pages(lambda at, most: plans_reads.plans(read, MANAGER, PlanFilter(mine=True), at, most))
    assert len(mine) == 5
    held = await all_pages(
        lambda at, most: suspense_reads.suspense(read, CENTRE, SuspenseFilter(unit="3205"), at, most)
    )
    answers_all(answers.HeldPage, {"items": held, "next_cursor": None})
    answers_all(answers.HeldSummary, await suspense_reads.suspense_summary(read, CENTRE))
    assert {row["customer_code"] for row in held} == {f"C{n}" for n in range(5)} and held[0]["age_days"] == 1
    letters = await all_pages(
        lambda at, most: dead_letters_reads.dead_letters(read, OPERATOR, DeadLetterFilter(), at, most)
    )
    assert [row["origin_offset"] for row in letters] == [3, 2, 1, 0]
    refused: tuple[tuple[Any, Any], ...] = (
        (declarations_reads.declarations, DeclarationFilter()),
        (suspense_reads.suspense, SuspenseFilter()),
        (customers_reads.customers, CustomerFilter()),
    )
    for fetch, narrowed in refused:
        with pytest.raises(Problem) as problem:
            await fetch(read, CENTRE, narrowed, "AAAA", 2)
        assert problem.value.code == "bad_cursor"


@pytest.mark.req("REP-10", "CLM-23")
async def test_windows_of_every_unit_are_on_the_time_line_and_past_ones_only_of_ones_own(
    views: HandlerBench, read: Reads
) -> None:
    await views.tell(
        unit(),
        unit("3201", NANJING),
        told.window("S1", "P1"),
        told.window(
            "N1",
            "P2",
            NANJING,
            opens_at=THEN,
            ends_at=THEN + timedelta(days=5),
            settled_at=THEN + timedelta(days=6),
        ),
        told.plan("P3", state="succeeded", closed_at=THEN, agreement_no="XY-3"),
        told.plan("P4", 1, NANJING, state="expired", closed_at=THEN),
    )

    def names(rows: list[dict[str, Any]]) -> list[str]:
        return [row["plan_id"] for row in rows]

    assert names(await windows_reads.windows(read, CENTRE)) == ["P1", "P3", "P2"]
    assert names(await windows_reads.windows(read, person("centre-nanjing"))) == ["P1", "P4", "P2"]
    assert names(await windows_reads.windows(read, CENTRE, past=False, unit="3201")) == ["P2"]
    assert names(await windows_reads.windows(read, CENTRE, from_=THEN + timedelta(days=6), past=True)) == [
        "P1"
    ]
    assert names(await windows_reads.windows(read, CENTRE, to=THEN, past=False)) == ["P1"]
    current = await all_pages(lambda at, _: windows_reads.current_windows(read, MANAGER, None, at, 1))
    assert names(current) == ["P2", "P1"] and current[0]["unit_name_en"] == "Suzhou"


@pytest.mark.req("REP-10", "REP-20")
async def test_an_alert_is_open_while_what_it_is_about_still_stands(views: HandlerBench, read: Reads) -> None:
    def event(kind: str, **more: Any) -> Any:
        return told.claims_event(kind, **more)

    await views.tell(
        unit(),
        told.declaration("D1"),
        told.declaration("D2", state="approved", waiting_for=None),
        told.alert("decision_overdue", "D1"),
        told.alert("decision_overdue", "D2"),
        told.alert("code_range_low", "3205"),
        told.plan("P1"),
        told.plan("P2", state="expired"),
        event("window_ending", plan_id="P1"),
        event("window_ending", plan_id="P2"),
        event("guidance_missing", plan_id="P1"),
        told.plan("P3"),
        event("guidance_missing", plan_id="P3"),
        event("progress_judged", plan_id="P3"),
        event("case_opened", subject="A8", plan_id=None, case="late_agreement"),
        event("case_opened", subject="A9", plan_id=None, case="late_agreement"),
        event("case_decided", subject="A9", plan_id=None, case="late_agreement"),
    )

    async def seen(caller: Principal, asked: AlertFilter) -> set[tuple[str, str | None]]:
        rows = await all_pages(lambda at, most: alerts_reads.alerts(read, caller, asked, at, most))
        answers_all(answers.Alerts, {"items": rows, "next_cursor": None})
        return {(row["alert"], row["plan_id"] or row["subject"]) for row in rows}

    assert await seen(CENTRE, AlertFilter()) == {
        ("decision_overdue", "D1"),
        ("code_range_low", "3205"),
        ("window_ending", "P1"),
        ("guidance_missing", "P1"),
        ("case_opened", "A8"),
    }
    assert await seen(CENTRE, AlertFilter(open=False)) == {
        ("decision_overdue", "D2"),
        ("window_ending", "P2"),
        ("guidance_missing", "P3"),
        ("case_opened", "A9"),
    }
    # Cases are not for everybody; a manager sees what happens to their own plans.
    assert await seen(MANAGER, AlertFilter("window_ending", open=None)) == {
        ("window_ending", "P1"),
        ("window_ending", "P2"),
    }
    assert await seen(CENTRE, AlertFilter("window_ending", "3205")) == {("window_ending", "P1")}


# -- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.mark.req("REP-15")
async def test_files_hold_the_whole_list_in_scope_as_text_and_are_written_down(
    engines: Engines, reporting: ServiceProcess
) -> None:
    start = f"E{secrets.token_hex(3)}"
    many = 1_203
    publish(
        engines,
        [
            unit("3205", SUZHOU),
            customer(
                f"{start}-a", name='=HYPERLINK("http://evil.example","x")', agreements=(agreement("XY-7"),)
            ),
            *(customer(f"{start}{n:05d}", name=f"客户{n}", manager_a=None) for n in range(many)),
            customer(f"{start}-n", path=NANJING),
        ],
        "registry",
    )
    publish(
        engines, [tier(f"{start}-a"), told.revenue(f"{start}-a", 2026, 1, (3, "express", -1_250))], "tiering"
    )

    async def all_there() -> bool:
        answer = await reporting.get("/v1/exports/customers.csv", q=start)
        figures = await reporting.get("/v1/exports/revenue.csv", customer=f"{start}-a")
        return answer.text.count("\r\n") == many + 3 and figures.text.count("\r\n") == 2

    await until(all_there, 40)
    answer = await reporting.get("/v1/exports/customers.csv", "centre", q=start)
    assert (
        answer.content.startswith(b"\xef\xbb\xbf")
        and answer.headers["content-type"] == "text/csv; charset=utf-8"
    )
    header, first, *rest = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert header[:2] == ["客户代码", "客户名称"] and len(rest) == many
    assert first[:2] == [f"{start}-a", '\'=HYPERLINK("http://evil.example","x")']
    assert first[-2:] == ["XY-7", "本市大客户分级标准: 白银客户"]
    assert "centre" in answer.headers["content-disposition"]
    (figure,) = [
        line
        for line in (
            await reporting.get("/v1/exports/revenue.csv", year=2026, customer=f"{start}-a")
        ).text.split("\r\n")[1:]
        if line
    ]
    assert figure.endswith('2026,3,"速递",-12.50,1,1')
    sheet = await reporting.get("/v1/exports/customers.xlsx", "manager", q=start, lang="")
    rows = list(openpyxl.load_workbook(io.BytesIO(sheet.content)).active.values)  # type: ignore[union-attr]
    assert [row[0] for row in rows] == ["客户代码", f"{start}-a"] and str(rows[1][1]).startswith("=HYPERLINK")
    for name in ("movements", "declarations", "windows", "plans", "suspense", "dead-letters", "alerts"):
        for form in ("csv", "xlsx"):
            found = await reporting.get(f"/v1/exports/{name}.{form}", state="all", unit="3205")
            assert found.status_code == 200 and len(found.content) > 20, name
    timeline = {"from": "2026-01-01", "to": "2026-12-31"}
    matrix = await reporting.get("/v1/exports/tier-matrix.csv", scheme="city-default", **timeline)
    assert matrix.text.startswith('\ufeff"原级别","新级别","客户数"\r\n')
    assert (await reporting.get("/v1/exports/tier-matrix.csv", **timeline)).status_code == 422
    assert (await reporting.get("/v1/exports/windows.csv", **timeline)).status_code == 200
    assert (await reporting.get("/v1/exports/suspense.csv", "manager")).status_code == 403
    assert (await reporting.get("/v1/exports/dead-letters.csv", "centre")).status_code == 403
    assert (await reporting.get("/v1/exports/secrets.csv")).status_code == 422
    bench = HandlerBench(reporting.database, None)  # type: ignore[arg-type]
    noted = await bench.rows(
        "SELECT person, format, filters->>'q', rows FROM export_log WHERE what = 'customers' ORDER BY id DESC LIMIT 2"
    )
    await bench.engine.dispose()
    assert noted == [("manager", "xlsx", start, 1), ("centre", "csv", start, many + 1)]


@pytest.mark.req("REP-3", "REP-4")
async def test_programs_read_the_same_figures_in_yuan(engines: Engines, reporting: ServiceProcess) -> None:
    start = f"J{secrets.token_hex(3)}"
    publish(engines, [unit("3205", SUZHOU), customer(f"{start}1")], "registry")
    publish(
        engines,
        [
            told.revenue(f"{start}1", 2026, 1, (3, "express", 1_250)),
            told.held(f"{start}1"),
            change(f"{start}1"),
        ],
        "tiering",
    )

    async def there() -> Any:
        answer = await reporting.get(f"/v1/customer360/{start}1", "operator")
        found = answer.json()
        return (
            found
            if answer.status_code == 200 and found["revenue"] and found["suspense"] and found["movements"]
            else None
        )

    found = await until(there)
    assert found["revenue"][0]["amount"] == "12.50" and found["suspense"][0]["amount"] == "88.00"
    assert found["customer"]["registered_at"] == "2026-03-09T10:11:12.345+08:00"
    assert (await reporting.get(f"/v1/customer360/{start}1", "centre-nanjing")).status_code == 404
    year = (await reporting.get("/v1/revenue", year=2026, group="customer")).json()
    assert {row["customer_code"]: row["amount"] for row in year["rows"]}[f"{start}1"] == "12.50"
    summary = (await reporting.get("/v1/suspense-summary")).json()
    assert summary["held"] >= 1
    listed = (await reporting.get("/v1/suspense-view", code=f"{start}1")).json()
    assert [row["reason"] for row in listed["items"]] == ["unknown_code"]
    assert (await reporting.get("/v1/dashboard")).json()["customers"]["total"] >= 1
    matrix = {"scheme": "city-default", "from": "2026-03-01", "to": "2026-03-31"}
    assert (await reporting.get("/v1/tier-matrix", **matrix)).json()["cells"]
    assert (await reporting.get("/v1/alerts")).status_code == 200
    assert (await reporting.get("/v1/dashboard", "admin")).status_code == 403
    ordered = (await reporting.get("/v1/customers", q=start, order="revenue")).json()
    assert [row["customer_code"] for row in ordered["items"]] == [f"{start}1"]
    assert (await reporting.get("/v1/customers", q=start, order="name")).status_code == 422


@pytest.mark.req("REG-6")
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("昆山(试验)", ["F1"]),
        (" 试验 ", ["F1"]),
        ("[试验]工贸", ["F1"]),
        ("ab", ["F2"]),
        ("Ａｂ公", ["F2"]),
        (" Ｆ2", ["F2"]),
    ],
)
async def test_names_are_found_however_they_are_typed(
    views: HandlerBench, read: Reads, typed: str, found: list[str]
) -> None:
    await views.tell(
        unit(),
        customer("F1", name="昆山（试验）工贸有限公司"),
        customer("F2", name="ＡＢ公司"),
        told.declaration("FD1", name="昆山（试验）工贸有限公司"),
        told.declaration("FD2", name="ＡＢ公司"),
        told.plan("FP1", name="昆山（试验）工贸有限公司"),
        told.plan("FP2", name="ＡＢ公司"),
    )
    customers = (await customers_reads.customers(read, CENTRE, CustomerFilter(q=typed), None, 10)).items
    assert [row["customer_code"] for row in customers if row["customer_code"] in ("F1", "F2")] == found
    if "2" not in typed:
        declarations = (
            await declarations_reads.declarations(read, CENTRE, DeclarationFilter(q=typed), None, 10)
        ).items
        assert {row["declaration_id"] for row in declarations} & {"FD1", "FD2"} == {f"FD{found[0][1]}"}
        plans = (await plans_reads.plans(read, CENTRE, PlanFilter(q=typed), None, 10)).items
        assert {row["plan_id"] for row in plans} & {"FP1", "FP2"} == {f"FP{found[0][1]}"}
