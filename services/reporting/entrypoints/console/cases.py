"""Cases: agreements that slipped past an exclusive window, for the centre to decide (CLM-5)."""

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

State = Annotated[Literal["", "open", "decided", "all"] | None, Query()]


router = room()


@router.get("/cases")
async def cases(desk: AtDesk, state: State = None, cursor: Cursor = None) -> Response:
    desk.who.require("cases.read")
    asked = state or "open"
    away: Problem | None = None
    try:
        found = await desk.get(
            "claims",
            "/v1/cases",
            {"state": None if asked == "all" else asked, "cursor": cursor, "limit": ROWS},
        )
    except Problem as missing:
        found, away = Told({"items": []}), missing
    return desk.show(
        "cases.html",
        refused=away,
        status=200,
        rows=found["items"] or [],
        next_cursor=found["next_cursor"],
        state=asked,
    )


async def one(desk: Desk, number: str, refused: Problem | None = None, form: Form | None = None) -> Response:
    found = await desk.get("claims", path_of("v1", "cases", number))
    return desk.show("case.html", refused=refused, form=form, found=found)


@router.get("/cases/{number}")
async def case(desk: AtDesk, number: str) -> Response:
    desk.who.require("cases.read")
    return await one(desk, number)


@router.post("/cases/{number}/decide")
async def decide(desk: AtDesk, number: str) -> Response:
    form = await desk.form()
    command = Command(
        "claims",
        path_of("v1", "cases", number, "decide"),
        form.given("decision", "reason"),
        form.key,
        form["version"] or None,
    )
    try:
        await desk.tell(command)
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    return seen(path_of("cases", number), "case_decided")
