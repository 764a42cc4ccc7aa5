"""Dead letters of all four services: what could not be read, sent again or closed by a person."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal, cast, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, ServiceName
from services.reporting.entrypoints.console.forms import Form, path_of, seen, submitted
from services.reporting.entrypoints.console.parts import ROWS, Console
from services.reporting.entrypoints.console.visitor import SignedIn, Visitor
from shared.contracts.topics import SERVICES
from shared.problems import Problem

Of = Annotated[Literal["", "registry", "tiering", "claims", "reporting"] | None, Query()]
State = Annotated[Literal["", "open", "replayed", "closed", "all"] | None, Query()]
After = Annotated[int, Query(ge=0)]


def routes(console: Console) -> APIRouter:
    router = console.router()
    read, pages, peers = console.read, console.pages, console.peers

    @router.get("/dead-letters")
    async def letters(
        request: Request, who: SignedIn, service: Of = None, state: State = None, cursor: After = 0
    ) -> Response:
        who.require("dead_letters.read")
        # A page of one service goes on by its cursor; all together show the beginning of each.
        asked = [service] if service else list(SERVICES)
        params = {"state": state or "open", "after": cursor if service else 0, "limit": ROWS}
        answers = await console.together(
            *(
                console.perhaps(peers.get(who.on_behalf, cast(ServiceName, one), "/v1/dead-letters", params))
                for one in asked
            )
        )
        found = dict(zip(asked, answers, strict=True))
        rows: list[Any] = [row for told in found.values() if told is not None for row in told["items"]]
        rows.sort(key=lambda row: row["failed_at"], reverse=True)
        only = found[service] if service else None
        return await pages.show(
            request,
            who,
            "dead_letters.html",
            rows=rows,
            summary=await read.dead_letter_summary(who.principal),
            away=[name for name, told in found.items() if told is None],
            next_cursor=str(only["next"]) if only is not None and only["more"] else None,
            more=[name for name, told in found.items() if told is not None and told["more"] and not service],
            state=state or "open",
            asked=request.query_params,
        )

    async def one(
        request: Request,
        who: Visitor,
        service: str,
        number: int,
        refused: Problem | None = None,
        form: Form | None = None,
    ) -> Response:
        found = await peers.get(who.on_behalf, _service(service), path_of("v1", "dead-letters", number))
        return await pages.show(
            request, who, "dead_letter.html", refused=refused, form=form, found=found, service=service
        )

    @router.get("/dead-letters/{service}/{number}")
    async def letter(request: Request, who: SignedIn, service: str, number: int) -> Response:
        who.require("dead_letters.read")
        return await one(request, who, service, number)

    @router.post("/dead-letters/{service}/{number}/{act}")
    async def act(
        request: Request, who: SignedIn, service: str, number: int, act: Literal["replay", "close"]
    ) -> Response:
        form = await submitted(request, who)
        body: dict[str, Any] = {}
        if act == "replay" and form["corrected"]:
            body["value_base64"] = base64.b64encode(_lines(form["corrected"]).encode()).decode()
        command = Command(_service(service), path_of("v1", "dead-letters", number, act), body, form.key)
        try:
            await peers.tell(who.on_behalf, command)
        except Problem as refused:
            return await one(request, who, service, number, refused, form.after(refused))
        return seen(path_of("dead-letters", service, number), f"letter_{act}")

    return router


def _service(name: str) -> ServiceName:
    if name not in get_args(ServiceName):
        raise Problem(404, "not_found", "没有这个地址。", "There is nothing at this address.")
    return cast(ServiceName, name)


def _lines(text: str) -> str:
    """Browsers send a text field with line ends of their own."""
    return text.replace("\r\n", "\n")
