"""How claims refuses over HTTP: members, words, and what the description of the interface says of it."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.claims.domain import refusals as r
from services.claims.entrypoints.commands import install
from services.claims.entrypoints.http import ROUTERS
from services.claims.handlers.act_on_window import (
    extend_window,
    judge_progress,
    report_progress,
    withdraw_plan,
)
from services.claims.handlers.decide_case import decide_case
from services.claims.handlers.desk import WindowTaken
from services.claims.handlers.file_plan import change_plan, file_plan, submit_plan
from services.claims.handlers.review_plan import read_ranking, review_plan
from shared.commands import refusals_of
from shared.kernel.refusals import Named, Refusal
from shared.problems import MEDIA_TYPE, Problem
from shared.texts import CATALOGUE, say

AT = datetime(2026, 3, 9, 2, tzinfo=UTC)
LATER = datetime(2026, 3, 10, 2, tzinfo=UTC)
DAY = date(2026, 3, 9)
HELD = r.WindowHeld("P1", "3205", AT, LATER, True, Named("苏州市分公司", "Suzhou"))
NEXT = (date(2026, 11, 17), date(2027, 1, 15))

HANDLERS: dict[str, Callable[..., Any]] = {
    "post /v1/plans": file_plan,
    "patch /v1/plans/{plan_id}": change_plan,
    "post /v1/plans/{plan_id}/submit": submit_plan,
    "post /v1/plans/{plan_id}/withdraw": withdraw_plan,
    "post /v1/plans/{plan_id}/review": review_plan,
    "post /v1/plans/{plan_id}/progress": report_progress,
    "post /v1/plans/{plan_id}/judge": judge_progress,
    "post /v1/plans/{plan_id}/extend": extend_window,
    "get /v1/plans/{plan_id}/ranking": read_ranking,
    "post /v1/cases/{case_id}/decide": decide_case,
}
"""Which handler answers, where one does."""
READS: dict[str, set[str]] = {
    "get /v1/customers": {"bad_cursor"},
    "get /v1/plans": {"bad_cursor"},
    "get /v1/plans/{plan_id}": {"unknown_plan"},
    "get /v1/windows": {"bad_cursor"},
    "get /v1/windows/{customer_code}": {"no_window"},
    "get /v1/cases": {"bad_cursor"},
    "get /v1/cases/{case_id}": {"unknown_case"},
}
"""What the others refuse by beside what any read can meet."""


def described() -> Iterator[tuple[str, set[str]]]:
    """Every route of claims, and the codes of the problems that its description names."""
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    for path, methods in app.openapi()["paths"].items():
        for method, route in methods.items():
            bodies = [answer.get("content", {}).get(MEDIA_TYPE) for answer in route["responses"].values()]
            codes = [each["schema"]["properties"]["code"]["enum"] for each in bodies if each is not None]
            yield f"{method} {path}", {code for group in codes for code in group}


def test_every_route_declares_what_it_refuses_by() -> None:
    routes = dict(described())
    assert routes.keys() == HANDLERS.keys() | READS.keys()
    for route, codes in routes.items():
        assert {"unauthenticated", "bad_token", "forbidden", "invalid_fields"} <= codes, route
        own = {each.code for each in refusals_of(HANDLERS[route])} if route in HANDLERS else READS[route]
        assert own and own <= codes, route
        if not route.startswith("get"):
            assert {"idempotency_key_reused", "unavailable"} <= codes, route
            versions = {"if_match_missing", "bad_if_match", "changed_meanwhile"}
            assert versions & codes == (set() if route == "post /v1/plans" else versions), route


def test_every_refusal_of_claims_is_declared_by_some_route() -> None:
    everywhere = set[str]().union(*(codes for _, codes in described()))
    for refusal in vars(r).values():
        if isinstance(refusal, type) and issubclass(refusal, Refusal) and refusal is not Refusal:
            assert refusal.code in everywhere, refusal


ANSWERS: list[tuple[Refusal, int, str, dict[str, Any]]] = [
    (
        HELD,
        409,
        "window_held",
        {
            "holder_unit": "3205",
            "holder_name_zh": "苏州市分公司",
            "holder_name_en": "Suzhou",
            "until": "2026-03-09T10:00:00.000+08:00",
            "barred_until": "2026-03-10T10:00:00.000+08:00",
            "queue_possible": True,
            "holder_plan": "P1",
        },
    ),
    (r.WindowHeldByAnother(), 409, "window_held", {}),
    (
        r.CoolingDown(AT, "P1"),
        409,
        "cooling_down",
        {"until": "2026-03-09T10:00:00.000+08:00", "lost_plan": "P1"},
    ),
    (r.AlreadyFiled("P1"), 409, "already_filed", {"plan_id": "P1"}),
    (r.WrongState("draft", ("active",)), 409, "wrong_state", {"state": "draft", "needed": ["active"]}),
    (
        r.AlreadyReviewed("refused", "centre", AT),
        409,
        "already_decided",
        {"state": "refused", "decided_by": "centre", "decided_at": "2026-03-09T10:00:00.000+08:00"},
    ),
    (r.WindowOver(AT), 409, "window_over", {"ended_at": "2026-03-09T10:00:00.000+08:00"}),
    (
        r.OutsideSeason("new_year", DAY, DAY, *NEXT),
        409,
        "outside_season",
        {"festival": "new_year", "season_first": "2026-11-17", "season_last": "2027-01-15"},
    ),
    (
        r.OutsideSeason("new_year", DAY, DAY, None, None),
        409,
        "outside_season",
        {"festival": "new_year", "season_first": None, "season_last": None},
    ),
    (
        r.FestivalNotReckoned("mid_autumn", 2150),
        422,
        "festival_not_reckoned",
        {"festival": "mid_autumn", "year": 2150},
    ),
    (r.NotSignificant(), 409, "not_significant", {}),
    (r.AlreadyExtended(AT, 1), 409, "already_extended", {"until": "2026-03-09T10:00:00.000+08:00"}),
    (r.BadExtension(DAY, DAY), 422, "bad_extension", {"first": "2026-03-09", "last": "2026-03-09"}),
    (r.OpensTooEarly(DAY), 422, "opens_too_early", {"today": "2026-03-09"}),
    (r.NotFirst(("P1", "P2")), 422, "reason_required", {"before": ["P1", "P2"]}),
    (r.UnknownUnit("9999"), 422, "unknown_unit", {}),
    (r.UnknownCustomer("C1"), 422, "unknown_customer", {}),
    (r.MergedInto("C2"), 409, "merged_into", {"merged_into": "C2"}),
    (r.CustomerNotActive("retired"), 409, "customer_not_active", {"status_of_customer": "retired"}),
    (r.BadCreditCode(), 422, "bad_credit_code", {}),
    (r.OwnRequest(), 403, "own_request", {}),
    (r.UnknownPlan(), 404, "unknown_plan", {}),
    (r.UnknownCase(), 404, "unknown_case", {}),
    (r.NoWindow(), 404, "no_window", {}),
    (
        r.CaseDecided("holder", "centre", AT),
        409,
        "already_decided",
        {"decision": "holder", "decided_by": "centre", "decided_at": "2026-03-09T10:00:00.000+08:00"},
    ),
]


@pytest.mark.parametrize(("refusal", "status", "code", "members"), ANSWERS)
def test_a_refusal_is_answered_by_its_code_with_its_members(
    refusal: Refusal, status: int, code: str, members: dict[str, Any]
) -> None:
    problem = Problem(refusal)
    assert (problem.status, problem.code, problem.members) == (status, code, members)
    zh, en = problem.detail("zh-CN"), problem.detail("en")
    assert zh != en
    shown = {
        name for _, name, _, _ in string.Formatter().parse(CATALOGUE[f"problem.{refusal.sentence()}"][0])
    }
    assert shown - {None} <= refusal.values().keys()


def test_every_refusal_of_claims_is_tried() -> None:
    tried = {type(refusal) for refusal, *_ in ANSWERS}
    known = {each for each in vars(r).values() if isinstance(each, type) and issubclass(each, Refusal)}
    assert tried == known - {Refusal}


def test_who_holds_the_customer_is_said_by_name_and_where_claims_knows_none_by_code() -> None:
    assert (
        Problem(HELD)
        .detail("zh-CN")
        .startswith("苏州市分公司（3205）正在独家开发该客户，至 2026年03月09日 10:00")
    )
    assert Problem(HELD).detail("en").startswith("Suzhou (3205) holds")
    nameless = r.WindowHeld("P1", "3205", AT, LATER, queue_possible=True)
    assert Problem(nameless).members["holder_name_zh"] == "3205"


@pytest.mark.parametrize("criterion", ["declaration", "territory", "benefit"])
def test_every_criterion_of_the_ranking_has_its_words(criterion: str) -> None:
    assert say(f"criterion.{criterion}", "zh-CN") != say(f"criterion.{criterion}", "en")


async def test_a_window_that_the_database_does_not_admit_is_held_by_another() -> None:
    app = FastAPI()
    install(app)

    @app.get("/")
    async def taken() -> None:
        raise WindowTaken("P1")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (409, "window_held")
    assert answer.json()["detail"] == "另有机构正在独家开发该客户。"
