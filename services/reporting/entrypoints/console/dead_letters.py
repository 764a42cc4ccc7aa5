"""Dead letters of all four services: what could not be read, sent again or closed by a person."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Final, Literal, cast, get_args

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, ServiceName
from services.reporting.adapters.reads.dead_letters import dead_letter_summary as read_dead_letter_summary
from services.reporting.domain.refusals import CorrectionNotJson
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk, Desk, Number
from services.reporting.entrypoints.console.route import room
from shared.contracts.topics import SERVICES
from shared.kernel.reasons import DeadLetterReason
from shared.problems import NotFound, Problem

Of = Annotated[Literal["", "registry", "tiering", "claims", "reporting"] | None, Query()]
State = Annotated[Literal["", "open", "replayed", "closed", "all"] | None, Query()]
After = Annotated[int, Query(ge=0, lt=2**63)]
Reason = Annotated[Literal[""] | DeadLetterReason | None, Query()]

LOOKED_THROUGH: Final = 1_000
"""Letters of a service that are looked through for those of one reason: its list has no such filter."""


router = room()


@router.get("/dead-letters")
async def letters(
    desk: AtDesk, service: Of = None, state: State = None, reason: Reason = None, cursor: After = 0
) -> Response:
    desk.who.require("dead_letters.read")
    # A page of one service goes on by its cursor; all together show the beginning of each.
    asked = [service] if service else list(SERVICES)
    params = {
        "state": state or "open",
        "after": cursor if service else 0,
        "limit": LOOKED_THROUGH if reason else ROWS,
    }
    answers = await desk.together(
        *(desk.perhaps(cast(ServiceName, one), "/v1/dead-letters", params) for one in asked)
    )
    found = dict(zip(asked, answers, strict=True))
    rows: list[Any] = [
        row
        for told in found.values()
        if told is not None
        for row in told["items"]
        if not reason or row["reason"] == reason
    ]
    rows.sort(key=lambda row: row["failed_at"], reverse=True)
    only = found[service] if service else None
    return desk.show(
        "dead_letters.html",
        rows=rows,
        summary=await desk.read(read_dead_letter_summary),
        away=[name for name, told in found.items() if told is None],
        next_cursor=str(only["next"]) if only is not None and only["more"] and not reason else None,
        more=[
            name
            for name, told in found.items()
            if told is not None and told["more"] and not service and not reason
        ],
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
async def letter(desk: AtDesk, service: str, number: Number) -> Response:
    desk.who.require("dead_letters.read")
    return await one(desk, service, number)


@router.post("/dead-letters/{service}/{number}/{act}")
async def act(desk: AtDesk, service: str, number: Number, act: Literal["replay", "close"]) -> Response:
    form = await desk.form()
    try:
        body = await _correction(desk, service, number, form["corrected"]) if act == "replay" else {}
        await desk.tell(
            Command(_service(service), path_of("v1", "dead-letters", number, act), body, form.key)
        )
    except Problem as refused:
        return await one(desk, service, number, refused, form.after(refused))
    return seen(path_of("dead-letters", service, number), f"letter_{act}")


async def _correction(desk: Desk, service: str, number: int, corrected: str) -> dict[str, Any]:
    """What a letter is sent again with: nothing where the text was left as it is, so that it goes byte for byte."""
    text = _lines(corrected)
    if not text:
        return {}
    found = await desk.get(_service(service), path_of("v1", "dead-letters", number))
    if text == _lines(found["value_text"] or "").strip():
        return {}
    try:
        json.loads(text)
    except ValueError:
        raise Problem(CorrectionNotJson()) from None
    return {"value_base64": base64.b64encode(text.encode()).decode()}


def _service(name: str) -> ServiceName:
    if name not in get_args(ServiceName):
        raise Problem(NotFound())
    return cast(ServiceName, name)


def _lines(text: str) -> str:
    """Browsers send a text field with line ends of their own."""
    return text.replace("\r\n", "\n")
