"""The console in this process: true templates, sessions and forms over reads and services that say what a test tells
them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from services.reporting.adapters.peers import Peers
from services.reporting.entrypoints.console import Hub, install, open_console
from services.reporting.entrypoints.console.visitor import TOKEN_COOKIE
from shared import problems
from shared.auth.development import AUDIENCE, JWKS_FILE, ensure_issuer, mint
from shared.auth.tokens import DEVELOPMENT_ISSUER, TokenVerifier
from shared.listing import Page

NOW = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
EMPTY_PAGE = Page([], None)


class FixedClock:
    def now(self) -> datetime:
        return NOW


class Reads:
    """Answers what `answers` holds under a function's name (a callable is asked with the arguments), else what an empty
    installation would."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def read(self, caller: Any, function: Callable[..., Any], *asked: Any, **_: Any) -> Any:
        name = function.__name__
        self.asked.append((name, asked))
        answer = self.answers[name] if name in self.answers else NOTHING[name]
        return answer(caller, *asked) if callable(answer) else answer


NOTHING: dict[str, Any] = {
    "dashboard": {
        "customers": {"total": 0, "potential": 0, "active": 0, "key_accounts": 0, "with_agreement": 0},
        "tiers": [],
        "revenue": {"year": 2026, "total_fen": None, "last_year_fen": None, "by_month": [], "by_line": []},
        "movements": [],
        "declarations": None,
        "windows": None,
        "suspense": None,
        "dead_letters": None,
        "as_of": None,
    },
    "customers": EMPTY_PAGE,
    "customer_counts": {"total": 0, "revenue_fen": None, "year": 2026},
    "customer": None,
    "customer360": None,
    "declarations": EMPTY_PAGE,
    "declaration": None,
    "declaration_counts": {
        "open": 0, "due_soon": 0, "breached": 0, "decided": 0, "decided_in_time": 0, "median_seconds": None,
    },
    "plans": EMPTY_PAGE,
    "plan": None,
    "windows": [],
    "suspense_summary": {"held": 0, "amount_fen": 0, "customers": 0, "by_reason": [], "by_age": []},
    "dead_letter_summary": {"open": 0, "customers": 0, "amount_fen": 0, "by_reason": []},
    "suspense": EMPTY_PAGE,
    "suspense_item": None,
    "suspense_codes": [],
    "freshness": [],
    "units": [],
    "latest_event": NOW,
}  # fmt: skip

Answer = Callable[[httpx.Request], httpx.Response]


class Services:
    """The other services: every request is kept, and answered by path."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: dict[tuple[str, str], Answer | tuple[int, Any]] = {}

    def say(self, method: str, path: str, status: int, body: Any) -> None:
        self.answers[method, path] = (status, body)

    def refuse(self, method: str, path: str, status: int, code: str, detail: str, **members: Any) -> None:
        self.say(method, path, status, {"code": code, "detail": detail, "title": code, **members})

    def handle(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers.get((request.method, request.url.path))
        if answer is None and request.url.path == "/v1/staff":
            # Every page asks for names; only a test that has something to say about them notices.
            return httpx.Response(200, json={"items": [], "next_cursor": None})
        self.requests.append(request)
        if answer is None:
            return httpx.Response(404, json={"code": "not_found", "detail": "nothing here"})
        return answer(request) if callable(answer) else httpx.Response(answer[0], json=answer[1])

    def told(self, method: str = "POST") -> list[httpx.Request]:
        return [request for request in self.requests if request.method == method]


class Bench:
    """A browser without scripts before the console."""

    def __init__(self, folder: Path, mode: str = "development") -> None:
        self.secrets = folder / "secrets"
        ensure_issuer(self.secrets)
        self.reads, self.services, self.hub = Reads(), Services(), Hub()
        names = ("registry", "tiering", "claims", "reporting")
        peers = Peers(
            {name: f"http://{name}.test" for name in names}, httpx.MockTransport(self.services.handle)
        )
        self.app = FastAPI()
        problems.install(self.app)
        self.app.state.tokens = TokenVerifier(self.secrets / JWKS_FILE, DEVELOPMENT_ISSUER, AUDIENCE)
        self.console = open_console(self.reads, peers, self.hub, FixedClock(), mode)  # type: ignore[arg-type]
        install(self.app, self.console)

    def forget(self) -> None:
        """As it was at first; the application itself takes long to make and is kept."""
        self.reads.answers.clear()
        self.reads.asked.clear()
        self.services.answers.clear()
        self.services.requests.clear()
        self.hub.__init__()  # type: ignore[misc]
        self.console.directory.forget()

    def browser(self, user: str | None = "operator", language: str = "en") -> httpx.AsyncClient:
        cookies = {"keypost_language": language}
        if user is not None:
            cookies[TOKEN_COOKIE] = mint(self.secrets, user)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://console.test", cookies=cookies
        )


def fields_of(page: str, action: str) -> dict[str, str]:
    """The hidden and text fields of the form with this action, as a browser would send them."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.S)
    assert form is not None, f"no form {action}"
    found = {}
    for tag in re.findall(r"<input[^>]*>", form[1]):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        kind = re.search(r'type="([^"]*)"', tag)
        if name is None or (kind is not None and kind[1] in ("checkbox", "radio") and " checked" not in tag):
            continue
        found[name[1]] = "" if value is None else value[1]
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form[1], re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        found[name] = "" if chosen is None else chosen[1]
    return found


def sent(request: httpx.Request) -> Any:
    return json.loads(request.content)


def customer_row(**changes: Any) -> dict[str, Any]:
    """A row of the list of customers."""
    tier = {
        "scheme": "city-default", "scheme_version": 1, "version": 2, "tier": "gold", "effective_on": date(2026, 3, 9),
        "period": "2026", "total_fen": 20_000_000, "key_account": True,
    }  # fmt: skip
    return {
        "customer_code": "3205000000011", "version": 4, "name": "苏州织造", "uscc": None, "kind": "active",
        "status": "active", "merged_into": None, "survivor": "3205000000011", "unit_code": "3205",
        "unit_path": "/CN/32/3205", "unit_name_zh": "苏州市大客户中心", "unit_name_en": "Suzhou centre",
        "division": "320500", "industry": None, "manager_a": "manager", "manager_b": None, "lead": "A",
        "registered_at": NOW, "aliases": [], "counter_codes": [], "agreements_in_force": 1,
        "agreements": [{"agreement_no": "XY-1", "signed_on": "2026-01-01", "ends_on": None, "lines": []}],
        "as_of": NOW, "tiers": [tier], "revenue_year": 2026, "revenue_fen": 22_134_608, **changes,
    }  # fmt: skip


def customer_page(**changes: Any) -> dict[str, Any]:
    """A customer on one page."""
    row = customer_row()
    tiers = row.pop("tiers")
    moved = {
        "customer_code": "3205000000011", "scheme": "city-default", "scheme_version": 1, "version": 2, "from_tier": "silver",
        "to_tier": "gold", "direction": "promotion", "reason": "threshold_reached", "effective_on": date(2026, 3, 9),
        "period": "2026", "total_fen": 20_000_000, "key_account": True, "decided_at": NOW, "name": "苏州织造",
    }  # fmt: skip
    return {
        "asked": "3205000000011", "customer": row, "codes": ["3205000000011", "3205000000029"], "tiers": tiers,
        "movements": [moved],
        "revenue": [
            {"year": year, "month": 3, "line": "express", "amount_fen": 100_00, "pieces": 3, "transactions": 1}
            for year in (2025, 2026)
        ],
        "agreements": [
            {"agreement_no": "XY-1", "signed_on": "2026-01-01", "ends_on": None, "lines": ["express"],
            "state": "in_force",
             "ended_on": None, "unit_code": None, "recorded_at": "2026-01-01T00:00:00+08:00"}
        ],
        "counter_codes": [{"code": "SZ-1", "valid_from": None, "valid_to": None}],
        "windows": [window_row()], "plans": [plan_row()],
        "declaration": declaration_row(), "suspense": [suspense_row()],
        "events": [{"event": "agreement_signed", "agreement_no": "XY-1", "counter_code": None, "done_by": "centre",
        "happened_at": NOW}],
        "claims_events": [{"event": "window_opened", "stage": None, "reason": "why", "agreement_no": None,
        "done_by": "service:claims", "happened_at": NOW}],
        **changes,
    }  # fmt: skip


def declaration_row(**changes: Any) -> dict[str, Any]:
    return {
        "declaration_id": "d-1", "version": 3, "state": "pre_reviewed", "declared_by": "manager", "declarer": "manager",
        "name": "苏州云锦", "uscc": None, "unit_code": "3205", "unit_path": "/CN/32/3205", "pre_review_unit": None,
        "deciding_unit": "3205", "expected_lines": ["express"], "expected_revenue_fen": 100, "manager_a": "manager",
        "manager_b": None, "submitted_at": NOW, "arrived_at": NOW, "waiting_for": "centre", "warn_at": NOW, "due_at": NOW,
        "warned_at": None, "breached_at": None, "escalated_to": None, "decided_at": None, "decided_by": None,
        "decision_seconds": None, "customer_code": None, "as_of": NOW, "unit_name_zh": "苏州", "unit_name_en": "Suzhou",
        "hours_left": 5.5, **changes,
    }  # fmt: skip


def declaration(**changes: Any) -> dict[str, Any]:
    """A declaration as the registry tells it."""
    return {
        "id": "d-1", "version": 3, "state": "pre_reviewed", "waiting_for": "centre", "declared_by": "manager",
        "declarer": "manager", "name": "苏州云锦", "uscc": None, "expected_lines": ["express"],
        "expected_yearly_revenue": "120000.00", "manager_a": "manager", "manager_b": "manager-b", "unit_code": "3205",
        "pre_review_unit": None, "deciding_unit": "3205", "contacts": [{"name": "张三", "position": None,
        "phone": "1", "email": None}],
        "steps": [{"step": "submitted", "person": "manager", "at": "2026-03-09T09:00:00+08:00", "acted_for": None,
        "comment": "请审"}],
        "similar": [{"kind": "customer", "signs": ["name"], "unit_code": "3201", "masked": True}],
        "limit": {"mode": "clock", "due_at": "2026-03-11T09:00:00+08:00", "hours_left": 47.0}, **changes,
    }  # fmt: skip


def plan_row(**changes: Any) -> dict[str, Any]:
    return {
        "plan_id": "p-1", "version": 2, "state": "active", "kind": "regular", "customer_code": "3205000000011", "uscc": None,
        "name": "苏州织造", "unit_code": "3205", "unit_path": "/CN/32/3205", "reviewing_unit": "3205", "lines": ["express"],
        "expected_revenue_fen": 100, "manager_a": "manager", "manager_b": None, "queued": False, "submitted_at": NOW,
        "due_at": None, "breached_at": None, "opens_at": NOW, "ends_at": datetime(2026, 5, 9, 16, tzinfo=UTC),
        "settled_at": datetime(2026, 5, 10, 16, tzinfo=UTC), "stage": "contact", "progressed_at": None,
        "significant": True,
        "extended_until": None, "closed_at": None, "agreement_no": None, "as_of": NOW, "unit_name_zh": "苏州",
        "unit_name_en": "Suzhou", "events": [], **changes,
    }  # fmt: skip


def plan(**changes: Any) -> dict[str, Any]:
    """A plan as claims tells it."""
    return {
        "plan_id": "p-1", "version": 2, "state": "submitted", "kind": "regular", "customer_code": "3205000000011",
        "name": "苏州织造", "unit_code": "3205", "lines": ["express"], "plan_text": "先速递后函件", "manager_a": "manager",
        "queued": False, "due_at": "2026-03-11T10:00:00+08:00", "significant": False,
        "steps": [{"step": "plan_submitted", "person": "manager", "at": "2026-03-09T10:00:00+08:00", "stage": None,
        "reason": None, "note": "n", "evidence": ["e"]}],
        **changes,
    }  # fmt: skip


def window_row(**changes: Any) -> dict[str, Any]:
    return {
        "window_key": "3205000000011", "customer_code": "3205000000011", "uscc": None, "name": "苏州织造", "state": "active",
        "plan_id": "p-1", "unit_code": "3205", "unit_path": "/CN/32/3205", "manager_a": "manager", "manager_b": None,
        "kind": "regular", "lines": ["express"], "opens_at": NOW, "ends_at": datetime(2026, 5, 9, 16, tzinfo=UTC),
        "last_day": date(2026, 5, 9), "settled_at": datetime(2026, 5, 10, 16, tzinfo=UTC), "as_of": NOW,
        "unit_name_zh": "苏州", "unit_name_en": "Suzhou", "plan_seen": True, "customer_seen": True, **changes,
    }  # fmt: skip


HELD = UUID("0a6ffc03-8c1c-4a3a-8f0e-7f3a2c5f9b11")


def suspense_row(**changes: Any) -> dict[str, Any]:
    return {
        "item": HELD, "source": "/counters/1", "id": "T1", "customer_code": "SZ-1", "counter_id": "32050001",
        "line": "express", "kind": "sale", "amount_fen": 1250, "state": "held", "reason": "unknown_code",
        "business_date": date(2026, 3, 1), "held_at": NOW, "changed_at": NOW, "booked_for": None, "decided_by": None,
        "unit_path": "/CN/32/3205", "name": None, "age_days": 0, **changes,
    }  # fmt: skip


def held(**changes: Any) -> dict[str, Any]:
    """A held transaction as tiering tells it."""
    return {
        "number": 7, "state": "held", "reason": "unknown_code", "source": "/counters/1", "id": "T1", "customer_code": "SZ-1",
        "counter_id": "32050001", "data": {"line": "express", "kind": "sale", "amount": "12.50",
        "business_date": "2026-03-01"},
        "held_at": "2026-03-09T10:00:00+08:00", "decisions": ["close"], **changes,
    }  # fmt: skip


def merge(**changes: Any) -> dict[str, Any]:
    """A merge as the registry tells it."""
    side = {
        "customer_code": "A",
        "version": 3,
        "name": "甲",
        "status": "active",
        "agreements": [],
        "counter_codes": [],
        "aliases": [],
    }
    return {
        "id": 4, "survivor": "A", "alias": "B", "reason": "同一家", "state": "proposed", "requested_by": "steward",
        "requested_at": "2026-03-09T10:00:00+08:00", "signatures": [], "version": 1, "warnings": [],
        "preview": {"before": {"survivor": side, "alias": {**side, "version": 5}}, "after": {"survivor": side,
        "alias": side}, "warnings": ["name_differs"]},
        **changes,
    }  # fmt: skip


def explained(code: str = "3205000000011", **changes: Any) -> dict[str, Any]:
    """A customer's tiers as tiering explains them."""
    booking = {
        "source": "/counters/1", "id": "T1", "customer_code": code, "line": "express", "kind": "sale",
        "business_date": "2026-02-28", "amount": "10.00", "counter_id": "32050001",
    }  # fmt: skip
    tier = {
        "scheme": "city-default", "scheme_version": 1, "tier": "silver", "tier_name": "Silver", "key_account": True,
        "agreement": {"needed": True, "in_force": True, "signed_on": "2026-01-01", "ended_on": None},
        "totals": {"2026": "199999.00"}, "revenue_basis": "All lines",
        "next_level": {"tier": "gold", "threshold": "200000.00", "missing": "1.00", "year": 2026},
        "explanation": ["Silver since 2026-02-01: 50000.00 yuan in 2026 reached its threshold."],
        "evidence": {
            "year": 2026, "total_now": "199999.00", "bookings": 3, "latest_bookings": [booking],
            "thresholds": {"ordinary": "10000.00", "silver": "50000.00", "gold": "200000.00", "diamond": "1000000.00"},
            "changes": [{"from_tier": "ordinary", "to_tier": "silver", "direction": "promotion",
            "reason": "threshold_reached", "effective_on": "2026-02-01", "period": "2026", "total": "50000.00",
            "caused_by": {"source": "/counters/1", "id": "T0"}}],
        },
        **changes,
    }  # fmt: skip
    return {"asked_code": code, "customer_code": code, "notice": None, "tiers": [tier]}
