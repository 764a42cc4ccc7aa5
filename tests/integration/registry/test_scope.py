"""Who sees what: by role and unit over HTTP, and once more by the database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from shared.ids import new_id
from tests.integration.registry.conftest import Registry

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-13")]


@pytest.fixture(scope="module", autouse=True)
async def book(registry: Registry) -> None:
    await registry.results(
        [
            {
                "name": "苏州甲",
                "customer_code": "1000000000001",
                "manager_a": "manager",
                "manager_b": "manager-b",
            },
            {"name": "常熟乙", "customer_code": "1000000000002", "unit_code": "320581"},
            {
                "name": "南京丙",
                "customer_code": "1000000000003",
                "unit_code": "3201",
                "manager_a": "manager",
                "agreement_no": "A",
                "agreement_signed_on": "2026-01-05",
            },
        ]
    )


async def seen(registry: Registry, user: str, **filters: str) -> set[str]:
    answer = await registry.get("/v1/customers", user, **filters)
    assert answer.status_code == 200, answer.text
    return {each["name"] for each in answer.json()["items"]}


@pytest.mark.parametrize(
    ("user", "names"),
    [
        ("operator", {"苏州甲", "常熟乙", "南京丙"}),
        ("province", {"苏州甲", "常熟乙", "南京丙"}),
        ("auditor", {"苏州甲", "常熟乙", "南京丙"}),
        ("centre", {"苏州甲", "常熟乙"}),
        ("centre-nanjing", {"南京丙"}),
        ("reviewer-kunshan", set()),
        ("manager", {"苏州甲"}),
        ("manager-b", {"苏州甲"}),
        ("manager-nanjing", set()),
    ],
)
async def test_each_person_sees_the_customers_of_their_scope(
    registry: Registry, user: str, names: set[str]
) -> None:
    assert await seen(registry, user) == names


@pytest.mark.parametrize(
    ("user", "code", "status"),
    [
        ("centre", "1000000000001", 200),
        ("centre", "1000000000003", 404),
        ("centre-nanjing", "1000000000003", 200),
        ("manager", "1000000000001", 200),
        ("manager", "1000000000002", 404),
        ("manager", "1000000000003", 404),
        ("admin", "1000000000001", 403),
    ],
)
async def test_a_customer_outside_the_scope_is_as_if_it_were_not_there(
    registry: Registry, user: str, code: str, status: int
) -> None:
    answer = await registry.get(f"/v1/customers/{code}", user)
    assert answer.status_code == status
    if status == 404:
        unknown = await registry.get("/v1/customers/9999999999999", user)
        assert answer.json()["code"] == unknown.json()["code"]


async def test_the_database_shows_nothing_to_a_reader_who_does_not_say_for_whom(registry: Registry) -> None:
    async with registry.platform.reader.connect() as connection:
        for table in ("customers", "agreements", "manager_bindings", "code_assignments", "staff", "staff_roles",
                      "customer_imports", "customer_import_rows"):  # fmt: skip
            found = (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            assert found == 0, table


async def test_a_query_that_forgets_its_filter_stays_in_scope(registry: Registry) -> None:
    async with registry.platform.reader.connect() as connection:
        await connection.execute(text("SELECT set_config('app.unit_paths', '/CN/32/3201', true)"))
        names = (await connection.execute(text("SELECT name FROM customers"))).scalars().all()
        agreements = (await connection.execute(text("SELECT customer_code FROM agreements"))).scalars().all()
    assert names == ["南京丙"]
    assert agreements == ["1000000000003"]


async def test_the_scope_of_one_caller_does_not_stay_on_a_pooled_connection(registry: Registry) -> None:
    for _ in range(12):
        assert await seen(registry, "centre") == {"苏州甲", "常熟乙"}
        assert await seen(registry, "centre-nanjing") == {"南京丙"}


@pytest.mark.parametrize("user", ["manager", "steward", "auditor", "province", "admin", "service:tiering"])
async def test_only_a_centre_imports(registry: Registry, user: str) -> None:
    answer = await registry.load([{"name": "不行"}], user)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_centre_imports_only_into_its_own_units(registry: Registry) -> None:
    results = await registry.results(
        [{"name": "越界", "unit_code": "3201"}, {"name": "南京丙", "customer_code": "1000000000003"}],
        "centre",
    )
    assert [(each["reasons"], each["customer_code"]) for each in results] == [
        (["unit_out_of_scope"], None),
        (["code_taken"], None),
    ]


async def test_without_a_token_nothing_is_answered(registry: Registry) -> None:
    for path in ("/v1/customers", "/v1/units", "/v1/staff", "/v1/customer-imports/x"):
        assert (await registry.client.get(path)).status_code == 401


async def test_lists_are_paged_and_a_cursor_belongs_to_its_list_and_filters(registry: Registry) -> None:
    first = (await registry.get("/v1/customers", unit="3205", limit="1")).json()
    second = (await registry.get("/v1/customers", unit="3205", limit="1", cursor=first["next_cursor"])).json()
    assert [first["items"][0]["name"], second["items"][0]["name"]] == ["苏州甲", "常熟乙"]
    assert second["next_cursor"] is None
    for path, params in (
        ("/v1/customers", {"unit": "3201"}),
        ("/v1/units", {}),
        ("/v1/staff", {}),
    ):
        answer = await registry.get(path, cursor=first["next_cursor"], **params)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
    forged = await registry.get("/v1/customers", cursor="AAAA")
    assert forged.status_code == 400
    for limit in ("0", "-1", "1000000000"):
        assert (await registry.get("/v1/customers", limit=limit)).status_code == 422


async def test_filters_narrow_and_never_widen(registry: Registry) -> None:
    assert await seen(registry, "operator", agreement="in_force") == {"南京丙"}
    assert await seen(registry, "operator", manager="manager-b") == {"苏州甲"}
    assert await seen(registry, "operator", name="乙") == {"常熟乙"}
    assert await seen(registry, "centre", unit="3201") == set()
    assert await seen(registry, "centre", unit="CN") == {"苏州甲", "常熟乙"}


async def test_units_and_staff_are_listed_in_scope(registry: Registry) -> None:
    units = (await registry.get("/v1/units", "centre", limit="500")).json()["items"]
    assert all(unit["path"].startswith("/CN/32/3205") for unit in units)
    assert (await registry.get("/v1/units/3205", "centre")).json()["city_group"] is None
    assert (await registry.get("/v1/units/3201", "centre")).status_code == 404
    users = {each["user"] for each in (await registry.get("/v1/staff", "centre")).json()["items"]}
    assert {"manager", "centre", "steward"} <= users
    assert not {"manager-nanjing", "operator", "admin"} & users


async def test_a_customer_has_an_etag_and_is_not_sent_twice(registry: Registry) -> None:
    answer = await registry.get("/v1/customers/1000000000001")
    assert answer.headers["etag"] == '"1"'
    assert answer.json()["code_assignment"]["origin"] == "adopted"
    assert [(each["part"], each["manager"]) for each in answer.json()["managers"]] == [
        ("A", "manager"),
        ("B", "manager-b"),
    ]
    headers = registry.headers("operator", **{"If-None-Match": '"1"'})
    again = await registry.client.get("/v1/customers/1000000000001", headers=headers)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.req("REG-6")
async def test_similar_customers_of_other_units_are_told_by_the_unit_that_holds_them(
    registry: Registry,
) -> None:
    import_id = new_id()
    answer = await registry.load(
        [{"name": "南京丙有限公司"}, {"name": "苏州甲有限公司"}], "centre", import_id=import_id
    )
    foreign, own = answer.json()["results"]
    assert (foreign["similar"], foreign["similar_elsewhere"], foreign["notices"]) == (
        [],
        ["3201"],
        ["similar_name"],
    )
    assert (own["similar"], own["similar_elsewhere"]) == (["1000000000001"], [])
    rows = (await registry.get(f"/v1/customer-imports/{import_id}/rows", "centre")).json()["items"]
    assert [each["similar"] for each in rows] == [[], ["1000000000001"]]
