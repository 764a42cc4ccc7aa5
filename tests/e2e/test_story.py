"""One story of the four services together, told by what people and outside systems do: HTTP, Kafka and a clock.

A customer is declared, gets its code, sells, is claimed and won, rises, is merged with its double, and falls when the
year is closed. Each test is a chapter and goes on where the one before it ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.clock import SHANGHAI
from tests.support.engines import own_folder
from tests.support.instance import Instance, event_of, running
from tests.support.outside import Outside, Person
from tests.support.people import (
    APPROVERS,
    CENTRE,
    CITY,
    COUNTY,
    COUNTY_REVIEWER,
    MANAGER,
    OPERATOR,
    OTHER_CENTRE,
    PROVINCE,
    STEWARD,
    credit_code,
)
from tests.support.streams import Record

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

START = datetime(2026, 3, 9, 9, 0, tzinfo=SHANGHAI)
"""A Monday."""
FIRST_WINDOW_ENDS = datetime(2026, 5, 10, 0, 0, tzinfo=SHANGHAI)
"""Two months from 9 March: in force before the day after 9 May begins."""
LOCAL_CODE = "KS-0042"
SCHEME = "city-default"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass
class Story:
    """The instance of the story, everybody in it, and what has become known on the way."""

    instance: Instance
    outside: Outside
    now: datetime = START
    told: int = 0
    sales: int = 0
    customer: str = ""
    double: str = ""
    second_declaration: str = ""
    declaration: str = ""
    lost_plan: str = ""
    won_plan: str = ""
    seen: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def chapter(self, number: int) -> Iterator[None]:
        if self.told != number - 1:
            pytest.fail(f"the story ended in chapter {self.told + 1}")
        yield
        self.told = number

    def person(self, user: str) -> Person:
        return self.outside.person(user)

    def advance(self, by: timedelta) -> None:
        """Move the clock from timer to timer, as `keypost clock advance` does."""
        self.instance.must("clock", "advance", f"{int(by.total_seconds())}s")
        self.now += by

    def advance_to(self, then: datetime) -> None:
        self.advance(then - self.now)

    def sell(self, code: str, yuan: str, *, reverses: str | None = None, line: str = "express") -> str:
        """One transaction from a foreign counter; its id."""
        self.sales += 1
        id = f"story-{self.sales}"
        data = {
            "customer_code": code,
            "counter_id": "32058301",
            "line": line,
            "kind": "sale" if reverses is None else "reversal",
            "amount": yuan,
            "occurred_at": self.now.isoformat(),
            "reverses": reverses,
        }
        event = {
            "specversion": "1.0",
            "id": id,
            "source": "/counters/320583",
            "type": "keypost.counter.transaction.v1",
            "data": data,
        }
        self.instance.publish([Record(code.encode(), json.dumps(event).encode(), (), None)])  # type: ignore[arg-type]
        return id

    def changes(self, code: str) -> list[tuple[int, str, str, str, str]]:
        """What a subscriber has been told of a customer: version, from, to, reason, since when."""
        told = [event["data"] for event in self.instance.tier_changes() if event["key"] == code]
        return [
            (one["version"], one["from_tier"], one["to_tier"], one["reason"], one["effective_on"])
            for one in told
            if one["scheme"] == SCHEME
        ]

    def states(self, topic: str, key: str | None = None) -> list[dict[str, Any]]:
        """What was told on a topic, oldest first within a key; a tombstone is an empty one."""
        found = []
        for message in self.instance.read(topic, self.instance.verifier()):
            if key is None or message.key().decode() == key:
                found.append({} if message.value() is None else event_of(message)["data"])
        return found

    def tier(self, code: str, user: str = CENTRE) -> dict[str, Any]:
        told = self.person(user).get("tiering", f"/v1/customers/{code}/tiers").must()
        (one,) = [tier for tier in told["tiers"] if tier["scheme"] == SCHEME]
        return {**told, **one}

    def report(self, path: str, user: str = CENTRE, **parameters: Any) -> Any:
        return self.person(user).get("reporting", path, **parameters).must()

    def export(self, table: str, user: str = CENTRE) -> str:
        """A table of reporting as a CSV file."""
        text = self.person(user).get("reporting", f"/v1/exports/{table}.csv", state="all").must()
        assert isinstance(text, str)
        return text


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with own_folder("story") as folder, running(folder / "data", START) as instance:
        outside = Outside(instance)
        outside.hire((f"unit-{COUNTY}", "reviewer", f"/CN/32/{CITY}/{COUNTY}"))
        yield Story(instance, outside)
        outside.close()


def declared(name: str, uscc: str) -> dict[str, Any]:
    return {
        "name": name,
        "uscc": uscc,
        "unit_code": COUNTY,
        "division": COUNTY,
        "expected_lines": ["express", "letters"],
        "expected_yearly_revenue": "200000.00",
        "manager_a": "manager",
        "manager_b": "manager-b",
        "contacts": [{"name": "张三", "phone": "13800000000"}],
        "comment": "拜访后申请注册",
    }


@pytest.mark.req("REG-1", "REG-2", "REG-4")
def test_a_manager_declares_the_county_pre_reviews_and_the_centre_gives_the_code(story: Story) -> None:
    with story.chapter(1):
        manager, county, centre = (story.person(user) for user in (MANAGER, COUNTY_REVIEWER, CENTRE))
        filed = manager.post("registry", "/v1/declarations", declared("昆山精密电子有限公司", credit_code(1)))
        said = filed.must(201)
        assert (said["state"], said["pre_review_unit"], said["deciding_unit"]) == ("submitted", COUNTY, CITY)
        path = f"/v1/declarations/{said['declaration_id']}"
        story.declaration = said["id"]
        manager.post("registry", f"{path}/pre-review", {"decision": "pass"}, seen=filed).refused(
            403, "forbidden"
        )
        passed = county.post("registry", f"{path}/pre-review", {"decision": "pass"}, seen=filed)
        assert passed.must()["state"] == "pre_reviewed"
        assert instant(passed.body["limit"]["due_at"]) == START + timedelta(hours=48)
        decided = centre.post("registry", f"{path}/decide", {"decision": "approve"}, seen=passed)
        story.customer = decided.must()["customer_code"]
        assert (decided.body["state"], len(story.customer), story.customer[:6]) == ("approved", 13, "320500")
        late = centre.post("registry", f"{path}/decide", {"decision": "approve"}, seen=decided)
        assert late.refused(409, "already_decided")["customer_code"] == story.customer
        story.instance.idle()
        (state,) = story.states("registry.customers.v1", story.customer)
        assert (state["version"], state["kind"], state["manager_a"]) == (1, "potential", "manager")


@pytest.mark.req("TIE-5")
def test_counters_sell_under_the_new_code_and_what_comes_under_a_local_one_waits(story: Story) -> None:
    with story.chapter(2):
        story.sell(story.customer, "30000.00")
        story.sell(LOCAL_CODE, "25000.00", line="letters")
        story.instance.idle()
        (held,) = story.person(OPERATOR).get("tiering", "/v1/suspense").must()["items"]
        assert (held["customer_code"], held["reason"]) == (LOCAL_CODE, "unknown_code")
        assert story.tier(story.customer)["totals"] == {"2026": "30000.00"}
        (reason,) = story.report("/v1/dashboard", OPERATOR)["suspense"]["by_reason"]
        assert (reason["reason"], reason["count"], reason["amount"]) == ("unknown_code", 1, "25000.00")


@pytest.mark.req("REG-10", "TIE-5")
def test_the_steward_maps_the_local_code_and_what_waited_is_booked_by_itself(story: Story) -> None:
    with story.chapter(3):
        steward = story.person(STEWARD)
        mapping = {"code": LOCAL_CODE, "customer_code": story.customer}
        steward.post("registry", "/v1/counter-codes", mapping).must(201)
        story.instance.idle()
        assert story.person(OPERATOR).get("tiering", "/v1/suspense").must()["items"] == []
        assert story.tier(story.customer)["totals"] == {"2026": "55000.00"}
        assert story.changes(story.customer) == [], "no tier without an agreement"


@pytest.mark.req("CLM-1", "CLM-2", "CLM-3", "CLM-4", "CLM-5")
def test_a_unit_gets_the_window_and_a_second_one_hears_who_has_it_and_until_when(story: Story) -> None:
    with story.chapter(4):
        story.won_plan = opened(story, story.customer, COUNTY)
        said = story.person(OTHER_CENTRE).post("claims", "/v1/plans", plan(story.customer, "3201"))
        problem = said.refused(409, "window_held")
        assert problem["holder_unit"] == COUNTY
        assert instant(problem["until"]) == FIRST_WINDOW_ENDS
        assert instant(problem["barred_until"]) == FIRST_WINDOW_ENDS + timedelta(hours=24)
        # Everybody inside sees who holds it, and nobody outside of the unit what the plan says.
        window = story.person(OTHER_CENTRE).get("claims", f"/v1/windows/{story.customer}").must()
        assert (window["unit_code"], instant(window["ends_at"])) == (COUNTY, FIRST_WINDOW_ENDS)
        assert "门到门" not in json.dumps(window, ensure_ascii=False)
        story.instance.idle()
        (published,) = story.states("claims.windows.v1", story.customer)
        assert published["plan_id"] == story.won_plan
        assert story.report("/v1/dashboard")["windows"]["active"] == 1


def plan(customer: str, unit: str) -> dict[str, Any]:
    return {
        "customer_code": customer,
        "unit_code": unit,
        "kind": "regular",
        "lines": ["express"],
        "plan_text": "门到门揽收，按月结算",
        "expected_yearly_revenue": "300000.00",
        "expected_margin": "60000.00",
        "manager_a": "manager",
        "manager_b": "manager-b",
    }


def opened(story: Story, customer: str, unit: str) -> str:
    """A window of the unit for the customer: its plan is filed by the unit and registered by the centre."""
    filed = story.person(f"unit-{unit}").post("claims", "/v1/plans", plan(customer, unit))
    assert filed.must(201)["state"] == "submitted"
    path = f"/v1/plans/{filed.body['plan_id']}"
    registered = story.person(CENTRE).post(
        "claims", f"{path}/review", {"decision": "register", "reason": "符合条件"}, seen=filed
    )
    assert registered.must()["state"] == "active"
    return str(filed.body["plan_id"])


@pytest.mark.req("CLM-7", "CLM-8", "REG-19", "REG-20", "TIE-8", "TIE-20")
def test_the_holder_reports_progress_signs_and_wins_and_the_tier_begins(story: Story) -> None:
    with story.chapter(5):
        story.advance(timedelta(days=30))
        unit, centre = story.person(f"unit-{COUNTY}"), story.person(CENTRE)
        path = f"/v1/plans/{story.won_plan}"
        unit.post("claims", f"{path}/progress", {"stage": "negotiation", "note": "已报价"}).must()
        agreement = {"agreement_no": "KS-2026-001", "signed_on": "2026-04-08", "unit_code": COUNTY}
        centre.post("registry", f"/v1/customers/{story.customer}/agreements", agreement).must(201)
        story.instance.idle()
        won = centre.get("claims", path).must()
        assert (won["state"], won["agreement_no"]) == ("succeeded", "KS-2026-001")
        assert story.states("claims.windows.v1", story.customer)[-1] == {}, "the window is gone"
        events = story.states("claims.events.v1", story.customer)
        (success,) = [one for one in events if one["event"] == "window_succeeded"]
        assert (success["development_unit"], success["lead"]) == (COUNTY, "B")
        assert story.states("registry.customers.v1", story.customer)[-1]["lead"] == "B"
        assert story.changes(story.customer) == [(1, "none", "silver", "agreement_signed", "2026-04-08")]
        assert story.tier(story.customer)["key_account"] is True


@pytest.mark.req("TIE-7", "TIE-21")
def test_revenue_moves_the_tier_up_on_the_day_it_comes(story: Story) -> None:
    with story.chapter(6):
        story.seen["sale"] = story.sell(LOCAL_CODE, "150000.00")
        story.instance.idle()
        assert story.changes(story.customer)[1:] == [(2, "silver", "gold", "threshold_reached", "2026-04-08")]
        feed = story.person("service:subscriber").get("tiering", "/v1/tier-changes").must()["items"]
        assert [one["data"]["version"] for one in feed if one["data"]["scheme"] == SCHEME] == [1, 2]


@pytest.mark.req("REG-3", "REP-10")
def test_a_declaration_that_nobody_decides_is_a_breach_at_48_hours(story: Story) -> None:
    with story.chapter(7):
        unit, centre = story.person(f"unit-{COUNTY}"), story.person(CENTRE)
        filed = unit.post("registry", "/v1/declarations", declared("昆山精密电子", credit_code(2)))
        said = filed.must(201)
        assert (said["state"], said["pre_review_unit"]) == ("submitted", None), (
            "a unit's own goes to the centre"
        )
        assert story.customer in json.dumps(said["similar"]), "a similar name is shown and does not block"
        story.second_declaration = said["id"]
        path, arrived = f"/v1/declarations/{said['declaration_id']}", story.now
        story.advance(timedelta(hours=47, minutes=59))
        assert centre.get("registry", path).must()["limit"]["breached_at"] is None
        story.advance(timedelta(hours=20))
        overdue = centre.get("registry", path)
        assert instant(overdue.must()["limit"]["breached_at"]) == arrived + timedelta(hours=48)
        alerts = [
            (one["alert"], one["escalated_to"]) for one in story.states("registry.events.v1", said["id"])
        ]
        assert [alert for alert, _ in alerts] == ["decision_due_soon", "decision_overdue"]
        assert alerts[1][1] == PROVINCE
        assert story.report("/v1/dashboard")["declarations"]["breached"] == 1
        assert "decision_overdue" in json.dumps(story.report("/v1/alerts"))
        decided = centre.post("registry", f"{path}/decide", {"decision": "approve"}, seen=overdue)
        story.double = decided.must()["customer_code"]
        reported = centre.get("registry", "/v1/time-to-decision", unit=CITY, **{"from": "2026-03-01"}).must()
        assert (reported["count"], reported["breached"]) == (2, 1)
        story.instance.idle()


@pytest.mark.req("CLM-9")
def test_a_window_left_to_its_end_settles_and_expires_at_its_true_times(story: Story) -> None:
    with story.chapter(8):
        story.lost_plan = opened(story, story.double, COUNTY)
        story.instance.idle()
        path = f"/v1/plans/{story.lost_plan}"
        ends = instant(story.person(CENTRE).get("claims", path).must()["ends_at"])
        assert ends == datetime(2026, 6, 12, 0, 0, tzinfo=SHANGHAI), "opened on 11 April for two months"
        story.advance_to(ends - timedelta(seconds=1))
        assert story.person(CENTRE).get("claims", path).must()["state"] == "active"
        story.advance(timedelta(seconds=1))
        assert story.person(CENTRE).get("claims", path).must()["state"] == "settling"
        late = story.person(f"unit-{COUNTY}").post(
            "claims", f"{path}/progress", {"stage": "contract", "note": "再等一天"}
        )
        assert late.status == 409, late.body
        story.person(OTHER_CENTRE).post("claims", "/v1/plans", plan(story.double, "3201")).refused(
            409, "window_held"
        )
        story.advance(timedelta(days=3))
        expired = story.person(CENTRE).get("claims", path).must()
        assert expired["state"] == "expired"
        happened = {
            one["event"]: instant(one["happened_at"])
            for one in story.states("claims.events.v1", story.double)
            if one["plan_id"] == story.lost_plan
        }
        assert happened["window_settling"] == happened["window_expired"] == ends, "both carry the true end"
        assert instant(expired["settled_at"]) == ends + timedelta(hours=24)
        again = story.person(f"unit-{COUNTY}").post("claims", "/v1/plans", plan(story.double, COUNTY))
        assert instant(again.refused(409, "cooling_down")["until"]) > story.now


@pytest.mark.req("REG-7", "TIE-14")
def test_two_codes_of_one_customer_are_merged_by_three_signatures(story: Story) -> None:
    with story.chapter(9):
        centre, steward = story.person(CENTRE), story.person(STEWARD)
        agreement = {"agreement_no": "KS-2026-002", "signed_on": "2026-06-15", "unit_code": COUNTY}
        centre.post("registry", f"/v1/customers/{story.double}/agreements", agreement).must(201)
        story.instance.idle()
        story.sell(story.double, "12000.00")
        story.instance.idle()
        assert [one[1:4] for one in story.changes(story.double)] == [
            ("none", "ordinary", "threshold_reached")
        ]
        proposal = {"survivor": story.customer, "alias": story.double, "reason": "同一客户，重复注册"}
        merge = steward.post("registry", "/v1/merges", proposal).must(201)
        path = f"/v1/merges/{merge['id']}"
        steward.post("registry", f"{path}/sign", seen="*").refused(403, "forbidden")
        first, second, third = (story.person(user) for user in APPROVERS)
        signing = first.post(
            "registry", f"{path}/sign", {"comment": "核对无误"}, seen=first.get("registry", path)
        )
        signing.must()
        assert centre.get("registry", f"/v1/customers/{story.double}").must()["status"] == "active"
        first.post("registry", f"{path}/sign", seen="*").refused(409, "already_signed")
        signing = second.post("registry", f"{path}/sign", seen=signing)
        assert signing.must()["state"] == "proposed"
        assert third.post("registry", f"{path}/sign", seen=signing).must()["state"] == "merged"
        story.instance.idle()
        assert story.changes(story.double)[1:] == [(2, "ordinary", "none", "merged", "2026-06-15")]
        assert story.tier(story.customer)["totals"] == {"2026": "217000.00"}
        of_alias = story.tier(story.double)
        assert (of_alias["asked_code"], of_alias["customer_code"]) == (story.double, story.customer)
        # A counter that still uses the alias sells to the survivor.
        story.sell(story.double, "1000.00")
        story.instance.idle()
        assert story.tier(story.customer)["totals"] == {"2026": "218000.00"}
        assert story.changes(story.double)[-1][0] == 2


@pytest.mark.req("TIE-4", "TIE-9")
def test_the_year_is_closed_and_what_it_does_not_justify_ends(story: Story) -> None:
    with story.chapter(10):
        story.sell(LOCAL_CODE, "150000.00", reverses=story.seen["sale"])
        story.instance.idle()
        assert story.tier(story.customer)["tier"] == "gold", "a reversal does not demote within the year"
        story.advance_to(datetime(2027, 1, 2, 9, 0, tzinfo=SHANGHAI))
        operator = story.person(OPERATOR)
        operator.post("tiering", "/v1/closes", {"period": "2027"}).refused(409, "year_not_over")
        operator.post("tiering", "/v1/closes", {"period": "2026"}).must(200, 202)
        story.instance.idle()
        assert operator.get("tiering", "/v1/closes/2026").must()["state"] == "done"
        assert story.changes(story.customer)[2:] == [(3, "gold", "silver", "year_end", "2027-01-01")]
        assert story.tier(story.customer)["totals"]["2026"] == "68000.00"


@pytest.mark.req("REP-1", "REP-3", "REP-7", "REP-10", "REP-15")
def test_reporting_shows_every_chapter(story: Story) -> None:
    with story.chapter(11):
        page = story.report(f"/v1/customer360/{story.double}")
        assert (page["asked"], page["customer"]["customer_code"]) == (story.double, story.customer)
        assert page["codes"] == [story.customer, story.double]
        assert sum(Decimal(one["amount"]) for one in page["revenue"]) == Decimal("68000.00")
        assert {one["agreement_no"] for one in page["agreements"]} == {"KS-2026-001", "KS-2026-002"}
        assert {one["plan_id"]: one["state"] for one in page["plans"]} == {
            story.won_plan: "succeeded",
            story.lost_plan: "expired",
        }
        moves = story.report("/v1/tier-movements", scheme=SCHEME)["items"]
        assert {(one["customer_code"], one["version"]) for one in moves} == {
            (story.customer, 1),
            (story.customer, 2),
            (story.customer, 3),
            (story.double, 1),
            (story.double, 2),
        }
        for table, words in {
            "customers": (story.customer, story.double),
            "movements": ("year end", "agreement signed", "merged"),
            "revenue": (story.customer, "-137000.00"),
            "declarations": (story.declaration, story.second_declaration),
            "plans": (story.won_plan, story.lost_plan),
            "suspense": (LOCAL_CODE,),
        }.items():
            text = story.export(table, OPERATOR)
            assert all(word in text for word in words), (table, words, text)


@pytest.mark.req("TIE-2")
def test_at_the_end_the_verifier_agrees(story: Story) -> None:
    with story.chapter(12):
        verified = story.instance.keypost("verify")
        assert verified.code == 0, verified
