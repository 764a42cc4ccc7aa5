"""Development plans: the list, filing one, its page, and every act on it. A refusal says who holds the customer until
when."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, PeerAnswer
from services.reporting.adapters.reads.customers import customer as read_customer
from services.reporting.adapters.reads.plans import PlanFilter
from services.reporting.adapters.reads.plans import plan as read_plan
from services.reporting.adapters.reads.plans import plans as read_plans
from services.reporting.entrypoints.console.filters import Code, Unit, Words
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk, Desk, Id
from services.reporting.entrypoints.console.route import room
from services.reporting.entrypoints.console.visitor import Visitor
from shared.paging import Cursor
from shared.problems import NotFound, Problem

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


router = room()


@router.get("/plans")
async def plans(
    desk: AtDesk,
    q: Words = None,
    unit: Unit = None,
    state: StateFilter = None,
    standing: Standing = None,
    mine: Mine = None,
    cursor: Cursor = None,
) -> Response:
    desk.who.require("plans.read")
    asked = PlanFilter(
        state=state or None,
        unit=desk.names.unit_meant(unit),
        standing=standing or None,
        mine=True if mine else None,
        q=q or None,
    )
    page = await desk.read(read_plans, asked, cursor, ROWS)
    return desk.show("plans.html", rows=page.items, next_cursor=page.next_cursor, asked=desk.query)


async def form_page(
    desk: Desk,
    *,
    form: Form,
    refused: Problem | None = None,
    found: PeerAnswer | None = None,
) -> Response:
    return desk.show(
        "plan_form.html",
        form=form,
        refused=refused,
        found=found,
    )


@router.get("/plans/new")
async def new(desk: AtDesk, customer: Code = None) -> Response:
    desk.who.require("plans.file")
    values = {
        "unit_code": desk.who.home_unit,
        "kind": "regular",
        "manager_a": desk.who.principal.user if desk.who.principal.holds("manager") else "",
        "customer_code": customer or "",
    }
    return await form_page(desk, form=Form(values))


@router.post("/plans/new")
async def file(desk: AtDesk) -> Response:
    form = await desk.form()
    try:
        told = await desk.tell(Command("claims", "/v1/plans", _body(form), form.key))
    except Problem as refused:
        return await form_page(desk, form=form.after(refused), refused=refused)
    return seen(path_of("plans", told["plan_id"]), _outcome(told))


async def one(desk: Desk, number: Id, refused: Problem | None = None, form: Form | None = None) -> Response:
    view = await desk.read(read_plan, number)
    away: Problem | None = None
    try:
        found = await desk.get("claims", path_of("v1", "plans", number))
    except Problem as missing:
        if view is None or missing.status < 500:
            raise
        found, away = PeerAnswer({**view, "steps": []}), missing
    ranking = None
    if found["state"] == "submitted" and desk.who.may("plans.review"):
        ranking = await desk.perhaps("claims", path_of("v1", "plans", number, "ranking"))
    return desk.show(
        "plan.html",
        refused=refused or away,
        status=refused.status if refused else 200,
        form=form,
        found=found,
        number=number,
        view=view,
        customer_seen=bool(found["customer_code"])
        and desk.who.may("customers.read")
        and await desk.read(read_customer, found["customer_code"]) is not None,
        ranking=(ranking or PeerAnswer())["items"] or [],
        may=_may(desk.who, found) if away is None else set(),
    )


@router.get("/plans/{number}")
async def plan(desk: AtDesk, number: Id) -> Response:
    desk.who.require("plans.read")
    return await one(desk, number)


@router.get("/plans/{number}/edit")
async def edit_page(desk: AtDesk, number: Id) -> Response:
    found = await desk.get("claims", path_of("v1", "plans", number))
    return await form_page(desk, form=_form_of(found), found=found)


@router.post("/plans/{number}/edit")
async def edit(desk: AtDesk, number: Id) -> Response:
    form = await desk.form()
    path = path_of("v1", "plans", number)
    body: dict[str, Any] = {name: form[name] or None for name in _CHANGEABLE}
    body["lines"] = list(form.all("lines"))
    try:
        told = await desk.tell(
            Command("claims", path, body, f"{form.key}-edit", form["version"] or None, "PATCH"),
        )
        if form["act"] == "submit":
            told = await desk.tell(Command("claims", f"{path}/submit", {}, form.key, str(told["version"])))
    except Problem as refused:
        found = await desk.get("claims", path)
        return await form_page(desk, form=form.after(refused), refused=refused, found=found)
    return seen(path_of("plans", number), _outcome(told))


@router.post("/plans/{number}/{act}")
async def act(desk: AtDesk, number: Id, act: str) -> Response:
    if act not in _ACTS:
        raise Problem(NotFound())
    form = await desk.form()
    body = form.given(*_ACTS[act])
    if act == "judge":
        body["significant"] = form["significant"] == "yes"
    if act in _WITH_EVIDENCE:
        # One piece of evidence a line.
        body["evidence"] = [line.strip() for line in form["evidence"].splitlines() if line.strip()]
    try:
        told = await desk.tell(
            Command("claims", path_of("v1", "plans", number, act), body, form.key, form["version"] or None)
        )
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    done = {"review": f"plan_{told['state']}", "submit": _outcome(told)}.get(act, f"plan_{act}")
    return seen(path_of("plans", number), done)


def _may(who: Visitor, found: PeerAnswer) -> set[str]:
    """The acts that the page offers; claims has the last word."""
    state = found["state"]
    acts: set[str] = set()
    if who.may("plans.file") and state == "draft":
        acts |= {"edit", "submit"}
    if who.may("plans.review"):
        if state == "submitted":
            acts.add("review")
        if state == "active":
            acts.add("judge")
            # An extension rests on significant progress (CLM-8), so it is offered once that was judged.
            if found["significant"]:
                acts.add("extend")
    if who.may("plans.progress"):
        if state == "active":
            acts.add("progress")
        if state in ("draft", "submitted", "registered", "active"):
            acts.add("withdraw")
    return acts


def _outcome(told: PeerAnswer) -> str:
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


def _form_of(found: PeerAnswer) -> Form:
    values = {name: str(found[name]) for name in _FIELDS if found[name] is not None}
    values["version"] = str(found["version"] or "")
    values["customer_code"] = found["customer_code"] or ""
    return Form(values, {"lines": tuple(found["lines"] or ())})
