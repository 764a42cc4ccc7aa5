"""Whatever stands in a path or a query: the registry answers what is wrong with it and never with a fault of its own."""

from __future__ import annotations

import pytest

from tests.integration.registry.conftest import Registry
from tests.support.junk import junk_answers

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-14")]

BODIES = {
    "/v1/customers/{code}/agreements": {"agreement_no": "A", "signed_on": "2026-03-02"},
    "/v1/customers/{code}/agreements/end": {"agreement_no": "A", "reason": "x"},
    "/v1/counter-codes/{id}/end": {"valid_to": "2026-03-02", "reason": "x"},
    "/v1/merges/{id}/refuse": {"reason": "x"},
    "/v1/declarations/{id}/pre-review": {"decision": "pass"},
    "/v1/declarations/{id}/decide": {"decision": "approve"},
}


async def test_junk_in_any_parameter_is_refused_and_never_a_fault(registry: Registry) -> None:
    description = (await registry.client.get("/openapi.json")).json()
    headers = registry.headers("operator", **{"If-Match": "*"})
    asked = [each async for each in junk_answers(registry.client, description, headers, BODIES)]
    assert len(asked) > 500
    assert {
        (each.method, each.path, each.place, each.junk[:20]) for each in asked if each.status >= 500
    } == set()


@pytest.mark.parametrize("day", ["0001-01-01", "1900-12-31", "2200-01-01", "9999-12-31"])
async def test_a_day_outside_the_stated_range_is_refused_with_its_field(registry: Registry, day: str) -> None:
    code = await registry.customer(f"远日公司{day}")
    signing = {"agreement_no": "D", "signed_on": "2026-03-02"}
    path = f"/v1/customers/{code}/agreements"
    for address, body, field in (
        (path, {**signing, "signed_on": day}, "/signed_on"),
        (path, {**signing, "ends_on": day}, "/ends_on"),
        (f"{path}/end", {"agreement_no": "D", "ends_on": day, "reason": "x"}, "/ends_on"),
    ):
        refused = await registry.post(address, body)
        assert refused.status_code == 422, refused.text
        assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == [
            (field, "day_out_of_range")
        ]
    for name in ("from", "to"):
        refused = await registry.get("/v1/time-to-decision", **{name: day})
        assert refused.status_code == 422 and refused.json()["errors"][0]["parameter"] == name


@pytest.mark.parametrize("flag", ["no", "1", "yes", "True", "off", ""])
async def test_a_flag_is_true_or_false(registry: Registry, flag: str) -> None:
    for path, name in (("/v1/declarations", "mine"), ("/v1/decision-delegations", "active")):
        assert (await registry.get(path, **{name: flag})).status_code == 422, path
        assert (await registry.get(path, **{name: "true"})).status_code == 200
    sent = {"name": "旗公司", "unit_code": "3205", "submit": flag}
    refused = await registry.post("/v1/declarations", sent)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/submit")
