"""People of a professional unit see their line over the whole city, and of a customer's bookings nothing of other lines."""

from __future__ import annotations

from datetime import date

import pytest

from tests.integration.tiering.test_http import CODE, Tiering, tiering
from tests.support.model import Agreement, Customer

__all__ = ["tiering"]

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-13", "REP-19")]


async def test_a_reviewer_of_express_sees_the_express_of_a_customer_and_no_letters(tiering: Tiering) -> None:
    await tiering.sell("x-1", "12000", line="express")
    await tiering.sell("l-1", "5000", line="letters")
    await tiering.bench.tell([Customer("9000000000001", "3201", 1, (Agreement("N", date(2026, 1, 1)),))])
    path = f"/v1/customers/{CODE}/tiers?explain=true"
    whole = {one["scheme"]: one for one in (await tiering.get(path, "centre")).json()["tiers"]}
    assert whole["city-default"]["totals"] == {"2026": "17000.00"}
    assert [one["id"] for one in whole["city-default"]["evidence"]["latest_bookings"]] == ["x-1", "l-1"]
    answer = await tiering.get(path, "reviewer")
    assert answer.status_code == 200, answer.text
    mine = {one["scheme"]: one for one in answer.json()["tiers"]}
    told = mine["city-default"]
    assert (told["tier"], told["totals"], told["next_level"]) == ("ordinary", {}, None)
    assert "not yours" in told["explanation"][0]
    evidence = told["evidence"]
    assert (evidence["total_now"], evidence["total_at_close"], evidence["bookings"]) == (None, None, 1)
    assert [one["id"] for one in evidence["latest_bookings"]] == ["x-1"]
    assert mine["guangdong-letters"]["evidence"]["latest_bookings"] == []
    assert (await tiering.get("/v1/customers/9000000000001/tiers", "reviewer")).status_code == 404
    chinese = (await tiering.get(path, "reviewer", "zh-CN")).json()["tiers"][0]
    assert "专业" in chinese["explanation"][0]
