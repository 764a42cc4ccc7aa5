"""Declarations: what waits for whom, a new one, its page with every step, and the decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, Told
from services.reporting.adapters.read_models import DeclarationFilter
from services.reporting.entrypoints.console.forms import Form, path_of, seen, submitted
from services.reporting.entrypoints.console.parts import ROWS, Console
from services.reporting.entrypoints.console.visitor import SignedIn, Visitor
from services.reporting.entrypoints.http import NamePart, UnitFilter
from shared.paging import Cursor
from shared.problems import Problem

Standing = Annotated[Literal["", "open", "due_soon", "breached", "decided"] | None, Query()]
WaitingFor = Annotated[Literal["", "declarer", "pre_review", "centre"] | None, Query()]
Mine = Annotated[Literal["", "yes"] | None, Query()]

_CONTACTS = 3
"""Contacts that the form has room for; one that has more shows them all."""
_CONTACTS_MAX = 20
_TEXTS = (
    "name",
    "uscc",
    "nature",
    "industry",
    "address",
    "division",
    "expected_yearly_revenue",
    "manager_a",
    "manager_b",
    "unit_code",
)
_ACTS = {"submit": "submit", "withdraw": "withdraw", "pre-review": "pre-review", "decide": "decide"}


def routes(console: Console) -> APIRouter:
    router = console.router()
    read, pages, peers = console.read, console.pages, console.peers

    @router.get("/declarations")
    async def declarations(
        request: Request,
        who: SignedIn,
        q: NamePart = None,
        unit: UnitFilter = None,
        standing: Standing = None,
        waiting_for: WaitingFor = None,
        mine: Mine = None,
        cursor: Cursor = None,
    ) -> Response:
        who.require("declarations.read")
        asked = DeclarationFilter(
            unit=unit or None,
            waiting_for=waiting_for or None,
            standing=standing or None,
            mine=True if mine else None,
            q=q or None,
        )
        rows, following = await read.declarations(who.principal, asked, cursor, ROWS)
        counts = await read.declaration_counts(who.principal)
        return await pages.show(
            request,
            who,
            "declarations.html",
            rows=rows,
            next_cursor=following,
            counts=counts,
            asked=request.query_params,
        )

    async def form_page(
        request: Request,
        who: Visitor,
        *,
        found: Told | None = None,
        form: Form | None = None,
        refused: Problem | None = None,
        rehearsal: Told | None = None,
    ) -> Response:
        return await pages.show(
            request,
            who,
            "declaration_form.html",
            found=found,
            form=form or (_form_of(found) if found is not None else Form({"unit_code": who.home_unit})),
            refused=refused,
            rehearsal=rehearsal,
            units=await console.units(who),
            contacts=range(max(_CONTACTS, len((found or Told())["contacts"] or []))),
        )

    @router.get("/declarations/new")
    async def new(request: Request, who: SignedIn) -> Response:
        who.require("customers.declare")
        return await form_page(request, who)

    @router.post("/declarations/new")
    async def declare(request: Request, who: SignedIn) -> Response:
        form = await submitted(request, who)
        body = _body(form)
        try:
            if form["act"] == "rehearse":
                told = await peers.tell(
                    who.on_behalf, Command("registry", "/v1/declarations/rehearse", body, form.key)
                )
                # A rehearsal is no declaration: the form that follows is a command of its own.
                return await form_page(request, who, form=Form(form.values, form.many), rehearsal=told)
            body |= {"submit": form["act"] != "draft", **form.given("comment")}
            told = await peers.tell(who.on_behalf, Command("registry", "/v1/declarations", body, form.key))
        except Problem as refused:
            return await form_page(request, who, form=form.after(refused), refused=refused)
        done = "declaration_kept" if form["act"] == "draft" else "declaration_sent"
        return seen(path_of("declarations", told["id"]), done)

    async def one(
        request: Request, who: Visitor, number: str, refused: Problem | None = None, form: Form | None = None
    ) -> Response:
        view = await read.declaration(who.principal, number)
        away: Problem | None = None
        try:
            found = await peers.get(who.on_behalf, "registry", path_of("v1", "declarations", number))
        except Problem as missing:
            # The view still shows the state; what only the registry knows is said to be missing.
            if view is None or missing.status < 500:
                raise
            limit = Told(due_at=view["due_at"], hours_left=view["hours_left"])
            found, away = Told({**view, "id": number, "limit": limit}), missing
        return await pages.show(
            request,
            who,
            "declaration.html",
            refused=refused or away,
            status=refused.status if refused else 200,
            form=form,
            found=found,
            view=view,
            may=_may(who, found) if away is None else set(),
        )

    @router.get("/declarations/{number}")
    async def declaration(request: Request, who: SignedIn, number: str) -> Response:
        who.require("declarations.read")
        return await one(request, who, number)

    @router.get("/declarations/{number}/edit")
    async def edit_page(request: Request, who: SignedIn, number: str) -> Response:
        found = await peers.get(who.on_behalf, "registry", path_of("v1", "declarations", number))
        return await form_page(request, who, found=found)

    @router.post("/declarations/{number}/edit")
    async def edit(request: Request, who: SignedIn, number: str) -> Response:
        form = await submitted(request, who)
        path = path_of("v1", "declarations", number)
        try:
            # Everything the form holds, so that a field that was emptied is emptied.
            body = _body(form, emptied=True)
            told = await peers.tell(
                who.on_behalf,
                Command("registry", path, body, f"{form.key}-edit", form["version"] or None, "PATCH"),
            )
            if form["act"] == "submit":
                handed_in = Command(
                    "registry", f"{path}/submit", form.given("comment"), form.key, str(told["version"])
                )
                await peers.tell(who.on_behalf, handed_in)
        except Problem as refused:
            found = await peers.get(who.on_behalf, "registry", path)
            return await form_page(request, who, found=found, form=form.after(refused), refused=refused)
        done = "declaration_sent" if form["act"] == "submit" else "declaration_kept"
        return seen(path_of("declarations", told["id"]), done)

    @router.post("/declarations/{number}/{act}")
    async def act(request: Request, who: SignedIn, number: str, act: str) -> Response:
        if act not in _ACTS:
            raise Problem(404, "not_found", "没有这个地址。", "There is nothing at this address.")
        form = await submitted(request, who)
        body = form.given("decision", "comment", "manager_a", "manager_b")
        try:
            told = await peers.tell(
                who.on_behalf,
                Command(
                    "registry", path_of("v1", "declarations", number, act), body, form.key, form["version"]
                ),
            )
        except Problem as refused:
            return await one(request, who, number, refused, form.after(refused))
        return seen(path_of("declarations", number), f"declaration_{told['state'] or act}")

    return router


def _may(who: Visitor, found: Told) -> set[str]:
    """The acts that the page offers; the registry has the last word."""
    state, mine = found["state"], found["declarer"] == who.principal.user
    waiting = found["waiting_for"]
    acts: set[str] = set()
    if mine and state in ("draft", "returned"):
        acts |= {"edit", "submit"}
    if mine and state not in ("approved", "rejected", "withdrawn"):
        acts.add("withdraw")
    # Of a centre itself any second person who decides there may do it.
    second = found["pre_review_unit"] in (found["deciding_unit"], who.home_unit) and who.may(
        "declarations.decide"
    )
    if not mine and waiting == "pre_review" and (second or who.may("declarations.pre_review")):
        acts.add("pre-review")
    if not mine and waiting == "centre" and who.may("declarations.decide"):
        acts.add("decide")
    return acts


def _body(form: Form, *, emptied: bool = False) -> dict[str, Any]:
    """The declaration that the form says."""
    body: dict[str, Any] = {name: form[name] or None for name in _TEXTS} if emptied else form.given(*_TEXTS)
    body["expected_lines"] = list(form.all("lines"))
    contacts = []
    for place in range(_CONTACTS_MAX):
        contact = {
            part: form[f"contact_{part}_{place}"]
            for part in ("name", "position", "phone", "email")
            if form[f"contact_{part}_{place}"]
        }
        if contact:
            contacts.append({"name": "", **contact})
    if contacts or emptied:
        body["contacts"] = contacts
    return body


def _form_of(found: Told) -> Form:
    """A declaration as it is, to be changed."""
    values = {name: str(found[name]) for name in _TEXTS if found[name] is not None}
    values["version"] = str(found["version"] or "")
    for place, contact in enumerate((found["contacts"] or [])[:_CONTACTS_MAX]):
        for part in ("name", "position", "phone", "email"):
            values[f"contact_{part}_{place}"] = contact[part] or ""
    return Form(values, {"lines": tuple(found["expected_lines"] or ())})
