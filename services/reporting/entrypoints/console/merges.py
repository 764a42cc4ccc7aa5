"""Merges: two codes that are one customer, what would become of both, and the signatures."""

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

State = Annotated[Literal["", "proposed", "merged", "refused", "withdrawn"] | None, Query()]


def routes(console: Console) -> APIRouter:
    router = console.router()
    pages, peers = console.pages, console.peers

    async def listed(
        request: Request,
        who: Visitor,
        state: str | None,
        cursor: str | None,
        refused: Problem | None = None,
        form: Form | None = None,
    ) -> Response:
        away: Problem | None = None
        try:
            found = await peers.get(
                who.on_behalf, "registry", "/v1/merges", {"state": state, "cursor": cursor, "limit": ROWS}
            )
        except Problem as missing:
            found, away = Told({"items": []}), missing
        return await pages.show(
            request,
            who,
            "merges.html",
            refused=refused or away,
            status=refused.status if refused else 200,
            form=form,
            rows=found["items"] or [],
            next_cursor=found["next_cursor"],
            state=state or "",
        )

    @router.get("/merges")
    async def merges(request: Request, who: SignedIn, state: State = None, cursor: Cursor = None) -> Response:
        who.require("merges.read")
        return await listed(request, who, state or None, cursor)

    @router.post("/merges")
    async def propose(request: Request, who: SignedIn) -> Response:
        form = await submitted(request, who)
        body = form.given("survivor", "alias", "reason")
        try:
            told = await peers.tell(who.on_behalf, Command("registry", "/v1/merges", body, form.key))
        except Problem as refused:
            return await listed(request, who, None, None, refused, form.after(refused))
        return seen(path_of("merges", told["id"]), "merge_proposed")

    async def one(
        request: Request, who: Visitor, number: str, refused: Problem | None = None, form: Form | None = None
    ) -> Response:
        found = await peers.get(who.on_behalf, "registry", path_of("v1", "merges", number))
        return await pages.show(request, who, "merge.html", refused=refused, form=form, found=found)

    @router.get("/merges/{number}")
    async def merge(request: Request, who: SignedIn, number: str) -> Response:
        who.require("merges.read")
        return await one(request, who, number)

    @router.post("/merges/{number}/{act}")
    async def act(request: Request, who: SignedIn, number: str, act: Literal["sign", "refuse"]) -> Response:
        form = await submitted(request, who)
        body = form.given("comment" if act == "sign" else "reason")
        if act == "sign":
            # What was looked at is signed: had either customer changed since, the registry refuses.
            body |= {
                name: int(form[name])
                for name in ("survivor_version", "alias_version")
                if form[name].isdecimal()
            }
        try:
            told = await peers.tell(
                who.on_behalf,
                Command("registry", path_of("v1", "merges", number, act), body, form.key, form["version"]),
            )
        except Problem as refused:
            return await one(request, who, number, refused, form.after(refused))
        done = {"merged": "merge_merged", "withdrawn": "merge_withdraw"}.get(told["state"], f"merge_{act}")
        return seen(path_of("merges", number), done)

    return router
