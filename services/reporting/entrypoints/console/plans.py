"""Development plans: the list, filing one, its page, and every act on it. A refusal says who holds the customer until
when."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, Told
from services.reporting.adapters.read_models import PlanFilter
from services.reporting.entrypoints.console.forms import Form, path_of, seen, submitted
from services.reporting.entrypoints.console.parts import ROWS, Console
from services.reporting.entrypoints.console.visitor import SignedIn, Visitor
from services.reporting.entrypoints.http import NamePart, UnitFilter
from shared.paging import Cursor
from shared.problems import Problem

Standing = Annotated[Literal["", "open", "review", "overdue"] | None, Query()]
StateFilter = Annotated[
    Literal[
        "",
        "draft",
        "submitted",
        "registered",
        "active",
        "settling",
        "succeeded",
        "expired",
        "withdrawn",
        "refused",
    ]
    | None,
    Query(),
]
Mine = Annotated[Literal["", "yes"] | None, Query()]

_FIELDS: Final = (
    "unit_code",
    "kind",
    "festival",
    "plan_text",
    "expected_yearly_revenue",
    "expected_margin",
    "manager_a",
    "manager_b",
    "opens_on",
)
_CHANGEABLE: Final = (
    "plan_text",
    "expected_yearly_revenue",
    "expected_margin",
    "manager_a",
    "manager_b",
    "opens_on",
)
_ACTS: Final[dict[str, tuple[str, ...]]] = {
    "submit": (),
    "withdraw": ("reason",),
    "review": ("decision", "reason"),
    "progress": ("stage", "note"),
    "judge": ("note",),
    "extend": ("until", "reason"),
}
"""The acts on a plan and the fields that each takes from its form."""
_WITH_EVIDENCE: Final = ("progress", "extend")


def routes(console: Console) -> APIRouter:
    router = console.router()
    read, pages, peers = console.read, console.pages, console.peers

    @router.get("/plans")
    async def plans(
        request: Request,
        who: SignedIn,
        q: NamePart = None,
        unit: UnitFilter = None,
        state: StateFilter = None,
        standing: Standing = None,
        mine: Mine = None,
        cursor: Cursor = None,
    ) -> Response:
        who.require("plans.read")
        asked = PlanFilter(
            state=state or None,
            unit=unit or None,
            standing=standing or None,
            mine=True if mine else None,
            q=q or None,
        )
        rows, following = await read.plans(who.principal, asked, cursor, ROWS)
        return await pages.show(
            request, who, "plans.html", rows=rows, next_cursor=following, asked=request.query_params
        )

    async def form_page(
        request: Request,
        who: Visitor,
        *,
        form: Form,
        refused: Problem | None = None,
        found: Told | None = None,
    ) -> Response:
        return await pages.show(
            request,
            who,
            "plan_form.html",
            form=form,
            refused=refused,
            found=found,
            units=await console.units(who),
        )

    @router.get("/plans/new")
    async def new(request: Request, who: SignedIn) -> Response:
        who.require("plans.file")
        values = {
            "unit_code": who.home_unit,
            "kind": "regular",
            "manager_a": who.principal.user if who.principal.holds("manager") else "",
            "customer_code": request.query_params.get("customer", ""),
        }
        return await form_page(request, who, form=Form(values))

    @router.post("/plans/new")
    async def file(request: Request, who: SignedIn) -> Response:
        form = await submitted(request, who)
        try:
            told = await peers.tell(who.on_behalf, Command("claims", "/v1/plans", _body(form), form.key))
        except Problem as refused:
            return await form_page(request, who, form=form.after(refused), refused=refused)
        return seen(path_of("plans", told["plan_id"]), _filed(told))

    async def one(
        request: Request, who: Visitor, number: str, refused: Problem | None = None, form: Form | None = None
    ) -> Response:
        view = await read.plan(who.principal, number)
        away: Problem | None = None
        try:
            found = await peers.get(who.on_behalf, "claims", path_of("v1", "plans", number))
        except Problem as missing:
            if view is None or missing.status < 500:
                raise
            found, away = Told({**view, "steps": []}), missing
        ranking = None
        if found["state"] == "submitted" and who.may("plans.review"):
            ranking = await console.perhaps(
                peers.get(who.on_behalf, "claims", path_of("v1", "plans", number, "ranking"))
            )
        return await pages.show(
            request,
            who,
            "plan.html",
            refused=refused or away,
            status=refused.status if refused else 200,
            form=form,
            found=found,
            number=number,
            view=view,
            ranking=(ranking or {}).get("items") or [],
            may=_may(who, found) if away is None else set(),
        )

    @router.get("/plans/{number}")
    async def plan(request: Request, who: SignedIn, number: str) -> Response:
        who.require("plans.read")
        return await one(request, who, number)

    @router.get("/plans/{number}/edit")
    async def edit_page(request: Request, who: SignedIn, number: str) -> Response:
        found = await peers.get(who.on_behalf, "claims", path_of("v1", "plans", number))
        return await form_page(request, who, form=_form_of(found), found=found)

    @router.post("/plans/{number}/edit")
    async def edit(request: Request, who: SignedIn, number: str) -> Response:
        form = await submitted(request, who)
        path = path_of("v1", "plans", number)
        body: dict[str, Any] = {name: form[name] or None for name in _CHANGEABLE}
        body["lines"] = list(form.all("lines"))
        try:
            told = await peers.tell(
                who.on_behalf,
                Command("claims", path, body, f"{form.key}-edit", form["version"] or None, "PATCH"),
            )
            if form["act"] == "submit":
                handed_in = Command("claims", f"{path}/submit", {}, form.key, str(told["version"]))
                told = await peers.tell(who.on_behalf, handed_in)
        except Problem as refused:
            found = await peers.get(who.on_behalf, "claims", path)
            return await form_page(request, who, form=form.after(refused), refused=refused, found=found)
        return seen(path_of("plans", number), _filed(told))

    @router.post("/plans/{number}/{act}")
    async def act(request: Request, who: SignedIn, number: str, act: str) -> Response:
        if act not in _ACTS:
            raise Problem(404, "not_found", "没有这个地址。", "There is nothing at this address.")
        form = await submitted(request, who)
        body = form.given(*_ACTS[act])
        if act == "judge":
            body["significant"] = form["significant"] == "yes"
        if act in _WITH_EVIDENCE:
            # One piece of evidence a line.
            body["evidence"] = [line.strip() for line in form["evidence"].splitlines() if line.strip()]
        try:
            told = await peers.tell(
                who.on_behalf,
                Command(
                    "claims", path_of("v1", "plans", number, act), body, form.key, form["version"] or None
                ),
            )
        except Problem as refused:
            return await one(request, who, number, refused, form.after(refused))
        done = {"review": f"plan_{told['state']}", "submit": _filed(told)}.get(act, f"plan_{act}")
        return seen(path_of("plans", number), done)

    return router


def _may(who: Visitor, found: Told) -> set[str]:
    """The acts that the page offers; claims has the last word."""
    state = found["state"]
    acts: set[str] = set()
    if who.may("plans.file") and state == "draft":
        acts |= {"edit", "submit"}
    if who.may("plans.review"):
        if state == "submitted":
            acts.add("review")
        if state == "active":
            acts |= {"judge", "extend"}
    if who.may("plans.progress"):
        if state == "active":
            acts.add("progress")
        if state in ("draft", "submitted", "registered", "active"):
            acts.add("withdraw")
    return acts


def _filed(told: Told) -> str:
    if told["queued"]:
        return "plan_queued"
    return "plan_kept" if told["state"] == "draft" else "plan_sent"


def _body(form: Form) -> dict[str, Any]:
    body: dict[str, Any] = form.given(*_FIELDS)
    if form["customer_code"]:
        body["customer_code"] = form["customer_code"]
    else:
        body["prospect"] = {"uscc": form["prospect_uscc"], "name": form["prospect_name"]}
    if body.get("kind") != "festival":
        body.pop("festival", None)
    body["lines"] = list(form.all("lines"))
    body["queue"] = form["queue"] == "yes"
    body["submit"] = form["act"] != "draft"
    return body


def _form_of(found: Told) -> Form:
    values = {name: str(found[name]) for name in _FIELDS if found[name] is not None}
    values["version"] = str(found["version"] or "")
    values["customer_code"] = found["customer_code"] or ""
    return Form(values, {"lines": tuple(found["lines"] or ())})
