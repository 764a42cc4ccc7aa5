"""From a plan to its window and to success or expiry, over HTTP, with timers and the registry's states."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from shared.contracts.topics import PLANS, WINDOWS
from tests.integration.claims.conftest import Claims
from tests.support.states import agreement, customer

pytestmark = pytest.mark.engines


@pytest.mark.req("CLM-1", "CLM-2", "CLM-3", "CLM-7", "CLM-9")
async def test_a_plan_is_filed_registered_worked_on_and_expires_by_its_timers(desk: Claims) -> None:
    code = await desk.new_customer()
    plan = await desk.filed(code)
    assert (plan["state"], plan["version"], plan["reviewing_unit"]) == ("submitted", 2, "3205")
    opened = await desk.review(plan)
    today = datetime.fromisoformat(opened["opens_at"]).date()
    assert opened["state"] == "active"
    assert opened["rule_version"] == 2
    assert (today, opened["last_day"]) == (date(2026, 3, 9), "2026-05-09")
    assert opened["ends_at"] == "2026-05-10T00:00:00.000+08:00"
    assert opened["settled_at"] == "2026-05-11T00:00:00.000+08:00"
    told = await desk.published(WINDOWS, code)
    assert [(one["state"], one["unit_code"], one["last_day"]) for one in told] == [
        ("active", "3205", "2026-05-09")
    ]
    worked = await desk.ok(
        f"/v1/plans/{plan['plan_id']}/progress", {"stage": "proposal", "note": "方案已送"}, "manager"
    )
    assert (worked["stage"], worked["version"]) == ("proposal", opened["version"] + 1)
    await desk.wait(days=63)
    ended = await desk.read(plan)
    assert (ended["state"], ended["closed_at"]) == ("expired", "2026-05-11T00:00:00.000+08:00")
    happened = await desk.happened(plan)
    assert [one[0] for one in happened] == [
        "plan_submitted",
        "plan_registered",
        "window_opened",
        "progress_reported",
        "guidance_missing",
        "window_silent",
        "window_ending",
        "window_ending",
        "window_ending",
        "window_settling",
        "window_expired",
    ]
    assert happened[-1][1:] == ("2026-05-10T00:00:00.000+08:00", "service:claims")
    told = await desk.published(WINDOWS, code)
    assert [None if one is None else one["state"] for one in told] == ["active", "active", "settling", None]
    states = [one for one in await desk.published(PLANS) if one["plan_id"] == plan["plan_id"]]
    assert [one["version"] for one in states] == list(range(1, len(states) + 1))
    assert not {"plan_text", "note"} & {name for one in states for name in one}
    assert (await desk.get(f"/v1/windows/{code}")).status_code == 404


@pytest.mark.req("CLM-8")
async def test_an_agreement_of_the_holder_within_the_window_makes_it_a_success(desk: Claims) -> None:
    code = await desk.new_customer()
    opened = await desk.opened(code)
    signed = _agreement(desk, "XY-8", unit_code="320583")
    records = await desk.tell(customer(code, version=2, agreements=(signed,), lead="B"))
    done = await desk.read(opened)
    assert (done["state"], done["agreement_no"]) == ("succeeded", "XY-8")
    await desk.take(records)
    await desk.wait(days=90)
    assert (await desk.read(opened))["version"] == done["version"]
    events = await desk.published("claims.events.v1", code)
    success = events[-1]
    assert (success["event"], success["development_unit"], success["lead"]) == (
        "window_succeeded",
        "3205",
        "B",
    )
    assert (await desk.published(WINDOWS, code))[-1] is None


def _agreement(desk: Claims, number: str, **changes: Any) -> Any:
    now = desk.clock.now()
    return agreement(number, **{"signed_on": now.date(), "recorded_at": now, **changes})
