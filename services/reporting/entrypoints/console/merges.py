"""Merges: two codes that are one customer, what would become of both, and the signatures."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, Told
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk, Desk
from services.reporting.entrypoints.console.route import room
from shared.paging import Cursor
from shared.problems import Problem

State = Annotated[Literal["", "proposed", "merged", "refused", "withdrawn"] | None, Query()]


router = room()


async def listed(
    desk: Desk,
    state: str | None,
    cursor: str | None,
    refused: Problem | None = None,
    form: Form | None = None,
) -> Response:
    away: Problem | None = None
    try:
        found = await desk.get("registry", "/v1/merges", {"state": state, "cursor": cursor, "limit": ROWS})
    except Problem as missing:
        found, away = Told({"items": []}), missing
    return desk.show(
        "merges.html",
        refused=refused or away,
        status=refused.status if refused else 200,
        form=form,
        rows=found["items"] or [],
        next_cursor=found["next_cursor"],
        state=state or "",
    )


@router.get("/merges")
async def merges(desk: AtDesk, state: State = None, cursor: Cursor = None) -> Response:
    desk.who.require("merges.read")
    return await listed(desk, state or None, cursor)


@router.post("/merges")
async def propose(desk: AtDesk) -> Response:
    form = await desk.form()
    body = form.given("survivor", "alias", "reason")
    try:
        told = await desk.tell(Command("registry", "/v1/merges", body, form.key))
    except Problem as refused:
        return await listed(desk, None, None, refused, form.after(refused))
    return seen(path_of("merges", told["id"]), "merge_proposed")


async def one(desk: Desk, number: str, refused: Problem | None = None, form: Form | None = None) -> Response:
    found = await desk.get("registry", path_of("v1", "merges", number))
    return desk.show("merge.html", refused=refused, form=form, found=found)


@router.get("/merges/{number}")
async def merge(desk: AtDesk, number: str) -> Response:
    desk.who.require("merges.read")
    return await one(desk, number)


@router.post("/merges/{number}/{act}")
async def act(desk: AtDesk, number: str, act: Literal["sign", "refuse"]) -> Response:
    form = await desk.form()
    body = form.given("comment" if act == "sign" else "reason")
    if act == "sign":
        # What was looked at is signed: had either customer changed since, the registry refuses.
        body |= {
            name: int(form[name]) for name in ("survivor_version", "alias_version") if form[name].isdecimal()
        }
    try:
        told = await desk.tell(
            Command("registry", path_of("v1", "merges", number, act), body, form.key),
        )
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    done = {"merged": "merge_merged", "withdrawn": "merge_withdraw"}.get(told["state"], f"merge_{act}")
    return seen(path_of("merges", number), done)
