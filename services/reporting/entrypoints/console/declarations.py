"""Declarations: what waits for whom, a new one, its page with every step, and the decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, PeerAnswer
from services.reporting.adapters.reads.declarations import DeclarationFilter
from services.reporting.adapters.reads.declarations import declaration as read_declaration
from services.reporting.adapters.reads.declarations import declaration_counts as read_declaration_counts
from services.reporting.adapters.reads.declarations import declarations as read_declarations
from services.reporting.entrypoints.console.filters import Unit, Words
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk, Desk, Id
from services.reporting.entrypoints.console.route import room
from services.reporting.entrypoints.console.visitor import Visitor
from shared.paging import Cursor
from shared.problems import NotFound, Problem

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


router = room()


@router.get("/declarations")
async def declarations(
    desk: AtDesk,
    q: Words = None,
    unit: Unit = None,
    standing: Standing = None,
    waiting_for: WaitingFor = None,
    mine: Mine = None,
    cursor: Cursor = None,
) -> Response:
    desk.who.require("declarations.read")
    asked = DeclarationFilter(
        unit=desk.names.unit_meant(unit),
        waiting_for=waiting_for or None,
        standing=standing or None,
        mine=True if mine else None,
        q=q or None,
    )
    page = await desk.read(read_declarations, asked, cursor, ROWS)
    counts = await desk.read(read_declaration_counts)
    return desk.show(
        "declarations.html",
        rows=page.items,
        next_cursor=page.next_cursor,
        counts=counts,
        asked=desk.query,
    )


async def form_page(
    desk: Desk,
    *,
    found: PeerAnswer | None = None,
    form: Form | None = None,
    refused: Problem | None = None,
    rehearsal: PeerAnswer | None = None,
) -> Response:
    return desk.show(
        "declaration_form.html",
        found=found,
        form=form or (_form_of(found) if found is not None else Form({"unit_code": desk.who.home_unit})),
        refused=refused,
        rehearsal=rehearsal,
        contacts=range(max(_CONTACTS, len((found or PeerAnswer())["contacts"] or []))),
    )


@router.get("/declarations/new")
async def new(desk: AtDesk) -> Response:
    desk.who.require("customers.declare")
    return await form_page(desk)


@router.post("/declarations/new")
async def declare(desk: AtDesk) -> Response:
    form = await desk.form()
    body = _body(form)
    try:
        if form["act"] == "rehearse":
            told = await desk.tell(Command("registry", "/v1/declarations/rehearse", body, form.key))
            # A rehearsal is no declaration: the form that follows is a command of its own.
            return await form_page(desk, form=Form(form.values, form.many), rehearsal=told)
        body |= {"submit": form["act"] != "draft", **form.given("comment")}
        told = await desk.tell(Command("registry", "/v1/declarations", body, form.key))
    except Problem as refused:
        return await form_page(desk, form=form.after(refused), refused=refused)
    done = "declaration_kept" if form["act"] == "draft" else "declaration_sent"
    return seen(path_of("declarations", told["id"]), done)


async def one(desk: Desk, number: Id, refused: Problem | None = None, form: Form | None = None) -> Response:
    view = await desk.read(read_declaration, number)
    away: Problem | None = None
    try:
        found = await desk.get("registry", path_of("v1", "declarations", number))
    except Problem as missing:
        # The view still shows the state; what only the registry knows is said to be missing.
        if view is None or missing.status < 500:
            raise
        limit = PeerAnswer(due_at=view["due_at"], hours_left=view["hours_left"])
        found, away = PeerAnswer({**view, "id": number, "limit": limit}), missing
    return desk.show(
        "declaration.html",
        refused=refused or away,
        status=refused.status if refused else 200,
        form=form,
        found=found,
        view=view,
        may=_may(desk.who, found) if away is None else set(),
        following=await _following(desk, number) if "done" in desk.query else None,
    )


@router.get("/declarations/{number}")
async def declaration(desk: AtDesk, number: Id) -> Response:
    desk.who.require("declarations.read")
    return await one(desk, number)


@router.get("/declarations/{number}/edit")
async def edit_page(desk: AtDesk, number: Id) -> Response:
    found = await desk.get("registry", path_of("v1", "declarations", number))
    return await form_page(desk, found=found)


@router.post("/declarations/{number}/edit")
async def edit(desk: AtDesk, number: Id) -> Response:
    form = await desk.form()
    path = path_of("v1", "declarations", number)
    try:
        # Everything the form holds, so that a field that was emptied is emptied.
        body = _body(form, emptied=True)
        told = await desk.tell(
            Command("registry", path, body, f"{form.key}-edit", form["version"] or None, "PATCH"),
        )
        if form["act"] == "submit":
            await desk.tell(
                Command("registry", f"{path}/submit", form.given("comment"), form.key, str(told["version"])),
            )
    except Problem as refused:
        found = await desk.get("registry", path)
        return await form_page(desk, found=found, form=form.after(refused), refused=refused)
    done = "declaration_sent" if form["act"] == "submit" else "declaration_kept"
    return seen(path_of("declarations", told["id"]), done)


@router.post("/declarations/{number}/{act}")
async def act(desk: AtDesk, number: Id, act: str) -> Response:
    if act not in _ACTS:
        raise Problem(NotFound())
    form = await desk.form()
    body = form.given("decision", "comment", "manager_a", "manager_b")
    try:
        told = await desk.tell(
            Command(
                "registry",
                path_of("v1", "declarations", number, act),
                body,
                form.key,
                form["version"] or None,
            ),
        )
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    # Who hands in again is told that it was handed in, whatever step it goes on at.
    done = "sent" if act == "submit" else told["state"] or act
    return seen(path_of("declarations", number), f"declaration_{done}")


async def _following(desk: Desk, number: str) -> str | None:
    """The most urgent declaration that this person may decide next."""
    waiting = "centre" if desk.who.may("declarations.decide") else "pre_review"
    if waiting == "pre_review" and not desk.who.may("declarations.pre_review"):
        return None
    rows = (await desk.read(read_declarations, DeclarationFilter(waiting_for=waiting), None, 2)).items
    return next((row["declaration_id"] for row in rows if row["declaration_id"] != number), None)


def _may(who: Visitor, found: PeerAnswer) -> set[str]:
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


def _form_of(found: PeerAnswer) -> Form:
    """A declaration as it is, to be changed."""
    values = {name: str(found[name]) for name in _TEXTS if found[name] is not None}
    values["version"] = str(found["version"] or "")
    for place, contact in enumerate((found["contacts"] or [])[:_CONTACTS_MAX]):
        for part in ("name", "position", "phone", "email"):
            values[f"contact_{part}_{place}"] = contact[part] or ""
    return Form(values, {"lines": tuple(found["expected_lines"] or ())})
