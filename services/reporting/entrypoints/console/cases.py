"""Cases: agreements that slipped past an exclusive window, for the centre to decide (CLM-5)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import AtDesk, Desk, Id
from services.reporting.entrypoints.console.peer_room import show_list
from services.reporting.entrypoints.console.route import room
from shared.paging import Cursor
from shared.problems import Problem

State = Annotated[Literal["", "open", "decided", "all"] | None, Query()]

router = room()


@router.get("/cases")
async def cases(desk: AtDesk, state: State = None, cursor: Cursor = None) -> Response:
    desk.who.require("cases.read")
    asked = state or "open"
    narrowed = {"state": None if asked == "all" else asked, "cursor": cursor}
    return await show_list(desk, "cases.html", "claims", "/v1/cases", narrowed, state=asked)


@router.get("/cases/{number}")
async def case(desk: AtDesk, number: Id) -> Response:
    desk.who.require("cases.read")
    return await one(desk, number)


async def one(desk: Desk, number: str, refused: Problem | None = None, form: Form | None = None) -> Response:
    found = await desk.get("claims", path_of("v1", "cases", number))
    return desk.show("case.html", refused=refused, form=form, found=found)


@router.post("/cases/{number}/decide")
async def decide(desk: AtDesk, number: Id) -> Response:
    form = await desk.form()
    path = path_of("v1", "cases", number, "decide")
    body = form.given("decision", "reason")
    try:
        await desk.tell(Command("claims", path, body, form.key, form["version"] or None))
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    return seen(path_of("cases", number), "case_decided")
