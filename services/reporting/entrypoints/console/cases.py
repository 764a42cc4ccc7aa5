"""Cases: agreements that slipped past an exclusive window, for the centre to decide (CLM-5)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, Told
from services.reporting.entrypoints.console.forms import Form, path_of, seen, submitted
from services.reporting.entrypoints.console.parts import ROWS, Console
from services.reporting.entrypoints.console.visitor import SignedIn, Visitor
from shared.paging import Cursor
from shared.problems import Problem

State = Annotated[Literal["", "open", "decided", "all"] | None, Query()]


def routes(console: Console) -> APIRouter:
    router = console.router()
    pages, peers = console.pages, console.peers

    @router.get("/cases")
    async def cases(request: Request, who: SignedIn, state: State = None, cursor: Cursor = None) -> Response:
        who.require("cases.read")
        asked = state or "open"
        away: Problem | None = None
        try:
            found = await peers.get(
                who.on_behalf,
                "claims",
                "/v1/cases",
                {"state": None if asked == "all" else asked, "cursor": cursor, "limit": ROWS},
            )
        except Problem as missing:
            found, away = Told({"items": []}), missing
        return await pages.show(
            request,
            who,
            "cases.html",
            refused=away,
            status=200,
            rows=found["items"] or [],
            next_cursor=found["next_cursor"],
            state=asked,
        )

    async def one(
        request: Request, who: Visitor, number: str, refused: Problem | None = None, form: Form | None = None
    ) -> Response:
        found = await peers.get(who.on_behalf, "claims", path_of("v1", "cases", number))
        return await pages.show(request, who, "case.html", refused=refused, form=form, found=found)

    @router.get("/cases/{number}")
    async def case(request: Request, who: SignedIn, number: str) -> Response:
        who.require("cases.read")
        return await one(request, who, number)

    @router.post("/cases/{number}/decide")
    async def decide(request: Request, who: SignedIn, number: str) -> Response:
        form = await submitted(request, who)
        command = Command(
            "claims",
            path_of("v1", "cases", number, "decide"),
            form.given("decision", "reason"),
            form.key,
            form["version"] or None,
        )
        try:
            await peers.tell(who.on_behalf, command)
        except Problem as refused:
            return await one(request, who, number, refused, form.after(refused))
        return seen(path_of("cases", number), "case_decided")

    return router
