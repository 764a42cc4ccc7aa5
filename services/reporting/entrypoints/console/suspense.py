"""Held transactions: what they hold up, a decision about one, and mapping the code that holds many."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, Told
from services.reporting.entrypoints.console.formats import fen_of
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk, Desk
from services.reporting.entrypoints.console.route import room
from shared.problems import Problem

Reason = Annotated[
    Literal[
        "",
        "unknown_code",
        "bad_check_digit",
        "retired_code",
        "conflict",
        "over_reversal",
        "reversal_mismatch",
        "sale_unknown",
        "future_date",
        "year_too_old",
    ]
    | None,
    Query(),
]
State = Annotated[Literal["", "held", "booked", "closed", "all"] | None, Query()]
Code = Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]*$")]
After = Annotated[int, Query(ge=0)]

MAPPABLE = ("unknown_code", "bad_check_digit", "retired_code")
"""Reasons that a mapping of the code to a customer removes."""


GROUPED_MAX = 1000
"""Held transactions that are looked at to group them by code; the largest groups show among the first of them."""


router = room()


async def listed(
    desk: Desk,
    reason: str | None,
    state: str | None,
    code: str | None,
    cursor: int,
) -> Response:
    summary = await desk.read.suspense_summary(desk.principal)
    away: Problem | None = None
    grouped = reason in MAPPABLE and state in (None, "held") and not cursor and not code
    try:
        found = await desk.get(
            "tiering",
            "/v1/suspense",
            {
                "state": state or "held",
                "reason": reason,
                "customer_code": code,
                "after": cursor,
                "limit": GROUPED_MAX if grouped else ROWS,
            },
        )
    except Problem as missing:
        found, away = Told({"items": [], "more": False}), missing
    rows = found["items"][:ROWS]
    return desk.show(
        "suspense.html",
        refused=away,
        status=200,
        summary=summary,
        rows=rows,
        groups=_by_code(found["items"]) if grouped else [],
        next_cursor=str(rows[-1]["number"])
        if rows and (found["more"] or len(found["items"]) > ROWS)
        else None,
        reason=reason or "",
        state=state or "held",
        asked=desk.query,
    )


@router.get("/suspense")
async def suspense(
    desk: AtDesk,
    reason: Reason = None,
    state: State = None,
    code: Code = None,
    cursor: After = 0,
) -> Response:
    desk.who.require("suspense.read")
    return await listed(desk, reason or None, state or None, code or None, cursor)


async def one(desk: Desk, number: int, refused: Problem | None = None, form: Form | None = None) -> Response:
    found = await desk.get("tiering", path_of("v1", "suspense", number))
    same = None
    if found["reason"] in MAPPABLE:
        same = await desk.perhaps(
            "tiering",
            "/v1/suspense",
            {"state": "held", "customer_code": found["customer_code"], "limit": 1000},
        )
    return desk.show(
        "suspense_one.html",
        refused=refused,
        form=form,
        found=found,
        same=[] if same is None else same["items"],
        mappable=found["reason"] in MAPPABLE and found["state"] == "held",
    )


@router.get("/suspense/{number}")
async def held(desk: AtDesk, number: int) -> Response:
    desk.who.require("suspense.read")
    return await one(desk, number)


@router.post("/suspense/{number}/decision")
async def decide(desk: AtDesk, number: int) -> Response:
    form = await desk.form()
    command = Command(
        "tiering",
        path_of("v1", "suspense", number, "decision"),
        form.given("decision", "comment"),
        form.key,
    )
    try:
        await desk.tell(command)
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    return seen(path_of("suspense", number), "suspense_decided")


@router.post("/suspense/{number}/map")
async def map_code(desk: AtDesk, number: int) -> Response:
    form = await desk.form()
    body = form.given("code", "customer_code", "valid_from", "valid_to")
    try:
        await desk.tell(Command("registry", "/v1/counter-codes", body, form.key))
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    return seen("/suspense", "code_mapped")


def _by_code(items: list[Told]) -> list[dict[str, object]]:
    """What waits behind each code, the largest sum first: mapping one code books all of it."""
    groups: dict[str, dict[str, Any]] = {}
    for item in items:
        code = item["customer_code"]
        group = groups.setdefault(code, {"code": code, "count": 0, "fen": 0, "number": item["number"]})
        group["count"] += 1
        said = item["data"] or {}
        group["fen"] += fen_of(said.get("amount")) * (-1 if said.get("kind") == "reversal" else 1)
    return sorted(groups.values(), key=lambda group: (-group["fen"], group["code"]))
