"""Dead letters of all four services: what could not be read, sent again or closed by a person."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal, cast, get_args

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, ServiceName
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk, Desk
from services.reporting.entrypoints.console.route import room
from shared.contracts.topics import SERVICES
from shared.problems import Problem

Of = Annotated[Literal["", "registry", "tiering", "claims", "reporting"] | None, Query()]
State = Annotated[Literal["", "open", "replayed", "closed", "all"] | None, Query()]
After = Annotated[int, Query(ge=0)]


router = room()


@router.get("/dead-letters")
async def letters(desk: AtDesk, service: Of = None, state: State = None, cursor: After = 0) -> Response:
    desk.who.require("dead_letters.read")
    # A page of one service goes on by its cursor; all together show the beginning of each.
    asked = [service] if service else list(SERVICES)
    params = {"state": state or "open", "after": cursor if service else 0, "limit": ROWS}
    answers = await desk.together(
        *(desk.perhaps(cast(ServiceName, one), "/v1/dead-letters", params) for one in asked)
    )
    found = dict(zip(asked, answers, strict=True))
    rows: list[Any] = [row for told in found.values() if told is not None for row in told["items"]]
    rows.sort(key=lambda row: row["failed_at"], reverse=True)
    only = found[service] if service else None
    return desk.show(
        "dead_letters.html",
        rows=rows,
        summary=await desk.read.dead_letter_summary(desk.principal),
        away=[name for name, told in found.items() if told is None],
        next_cursor=str(only["next"]) if only is not None and only["more"] else None,
        more=[name for name, told in found.items() if told is not None and told["more"] and not service],
        state=state or "open",
        asked=desk.query,
    )


async def one(
    desk: Desk,
    service: str,
    number: int,
    refused: Problem | None = None,
    form: Form | None = None,
) -> Response:
    found = await desk.get(_service(service), path_of("v1", "dead-letters", number))
    return desk.show("dead_letter.html", refused=refused, form=form, found=found, service=service)


@router.get("/dead-letters/{service}/{number}")
async def letter(desk: AtDesk, service: str, number: int) -> Response:
    desk.who.require("dead_letters.read")
    return await one(desk, service, number)


@router.post("/dead-letters/{service}/{number}/{act}")
async def act(desk: AtDesk, service: str, number: int, act: Literal["replay", "close"]) -> Response:
    form = await desk.form()
    body: dict[str, Any] = {}
    if act == "replay" and form["corrected"]:
        body["value_base64"] = base64.b64encode(_lines(form["corrected"]).encode()).decode()
    command = Command(_service(service), path_of("v1", "dead-letters", number, act), body, form.key)
    try:
        await desk.tell(command)
    except Problem as refused:
        return await one(desk, service, number, refused, form.after(refused))
    return seen(path_of("dead-letters", service, number), f"letter_{act}")


def _service(name: str) -> ServiceName:
    if name not in get_args(ServiceName):
        raise Problem(404, "not_found", "没有这个地址。", "There is nothing at this address.")
    return cast(ServiceName, name)


def _lines(text: str) -> str:
    """Browsers send a text field with line ends of their own."""
    return text.replace("\r\n", "\n")
