"""Held transactions: what they hold up, a decision about one, and mapping the code that holds many.

Tiles, groups and list come from one source under one scope: the view of what is held, within the reader's units. What is
done about one goes to the services that own it, which know it by a number of their own; where they do not show it to the
reader, the page says so and keeps what can be done without it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, PeerAnswer
from services.reporting.adapters.reads.rows import Row
from services.reporting.adapters.reads.suspense import SuspenseFilter
from services.reporting.adapters.reads.suspense import suspense as read_suspense
from services.reporting.adapters.reads.suspense import suspense_codes as read_suspense_codes
from services.reporting.adapters.reads.suspense import suspense_item as read_suspense_item
from services.reporting.adapters.reads.suspense import suspense_summary as read_suspense_summary
from services.reporting.domain.refusals import NotInSuspense
from services.reporting.entrypoints.console.filters import Code
from services.reporting.entrypoints.console.formats import fen_of
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import ROWS, AtDesk, Desk
from services.reporting.entrypoints.console.route import room
from services.reporting.entrypoints.console.standing import booked_one, effects
from shared.kernel.reasons import HeldReason
from shared.paging import Cursor
from shared.problems import NotFound, Problem

Reason = Annotated[Literal[""] | HeldReason | None, Query()]
State = Annotated[Literal["", "held", "released", "closed", "all"] | None, Query()]

MAPPABLE: Final = ("unknown_code", "bad_check_digit", "retired_code")
"""Reasons that a mapping of the code to a customer removes."""
_AT_TIERING: Final = {"held": "held", "released": "booked", "closed": "closed"}
_LOOKED_AT: Final = 1_000
_PAGES_MAX: Final = 5
"""How many held ones of a code are looked through for the one that is meant, in pages of 1 000."""

router = room()


@router.get("/suspense")
async def suspense(
    desk: AtDesk, reason: Reason = None, state: State = None, code: Code = None, cursor: Cursor = None
) -> Response:
    desk.who.require("suspense.read")
    summary = await desk.read(read_suspense_summary)
    shown = state or "held"
    asked = SuspenseFilter(None if shown == "all" else shown, reason or None, code or None)
    page = await desk.read(read_suspense, asked, cursor, ROWS)
    grouped = reason in MAPPABLE and shown == "held" and not cursor and not code
    return desk.show(
        "suspense.html",
        summary=summary,
        rows=page.items,
        groups=await desk.read(read_suspense_codes, reason or "") if grouped else [],
        next_cursor=page.next_cursor,
        reason=reason or "",
        state=shown,
        asked=desk.query,
    )


@router.get("/suspense/{item}")
async def held(desk: AtDesk, item: UUID) -> Response:
    desk.who.require("suspense.read")
    return await one(desk, item)


async def one(desk: Desk, item: UUID, refused: Problem | None = None, form: Form | None = None) -> Response:
    found = await desk.read(read_suspense_item, item)
    if found is None:
        raise Problem(NotInSuspense())
    own = await _at_tiering(desk, found)
    mappable = found["reason"] in MAPPABLE and found["state"] == "held"
    same: list[Row] = []
    if mappable:
        asked = SuspenseFilter("held", None, found["customer_code"])
        same = (await desk.read(read_suspense, asked, None, _LOOKED_AT)).items
    return desk.show(
        "suspense_one.html",
        refused=refused,
        form=form,
        found=found,
        own=own,
        data=(own or PeerAnswer())["data"] or PeerAnswer(),
        same=same,
        same_fen=sum(_signed(row) for row in same),
        mappable=mappable,
        conflict=await _conflict(desk, found)
        if found["reason"] == "conflict" and found["state"] == "held"
        else None,
    )


@router.post("/suspense/{item}/decision")
async def decide(desk: AtDesk, item: UUID) -> Response:
    form = await desk.form()
    if not form["number"].isdecimal():
        raise Problem(NotFound())
    path = path_of("v1", "suspense", form["number"], "decision")
    try:
        await desk.tell(Command("tiering", path, form.given("decision", "comment"), form.key))
    except Problem as refused:
        return await one(desk, item, refused, form.after(refused))
    return seen(path_of("suspense", item), "suspense_decided")


@router.post("/suspense/{item}/map")
async def map_code(desk: AtDesk, item: UUID) -> Response:
    form = await desk.form()
    body = form.given("code", "customer_code", "valid_from", "valid_to")
    try:
        await desk.tell(Command("registry", "/v1/counter-codes", body, form.key))
    except Problem as refused:
        return await one(desk, item, refused, form.after(refused))
    return seen("/suspense", "code_mapped")


async def _at_tiering(desk: Desk, found: Row) -> PeerAnswer | None:
    """The same held transaction as its owner tells it, with the number by which it is decided; None where the owner does
    not show it."""
    after: Any = 0
    for _ in range(_PAGES_MAX):
        page = await desk.perhaps(
            "tiering",
            "/v1/suspense",
            {
                "state": _AT_TIERING.get(found["state"], "all"),
                "reason": found["reason"],
                "customer_code": found["customer_code"],
                "after": after,
                "limit": _LOOKED_AT,
            },
        )
        if page is None:
            return None
        for one_of_them in page["items"] or []:
            if _is(one_of_them, found):
                return PeerAnswer(one_of_them)
        if not page["more"]:
            return None
        after = page["next"]
    return None


def _is(told: PeerAnswer, found: Row) -> bool:
    data = told["data"] or PeerAnswer()
    return bool(
        told["source"] == found["source"]
        and told["id"] == found["id"]
        and told["counter_id"] == found["counter_id"]
        and data["line"] == found["line"]
        and data["kind"] == found["kind"]
        and fen_of(data["amount"]) == found["amount_fen"]
    )


def _signed(row: Row) -> int:
    return -int(row["amount_fen"]) if row["kind"] == "reversal" else int(row["amount_fen"])


async def _conflict(desk: Desk, found: Row) -> dict[str, Any]:
    """What is booked under the same identity, as far as its owner tells it, and what replacing it would do."""
    path = path_of("v1", "customers", found["customer_code"], "tiers")
    told = await desk.perhaps("tiering", path, {"explain": "true"})
    booked = booked_one(told, found["source"], found["id"])
    if told is None or booked is None:
        return {"booked": None, "effects": []}
    before = -fen_of(booked["amount"]) if booked["kind"] == "reversal" else fen_of(booked["amount"])
    return {"booked": booked, "effects": effects(told, booked, _signed(found) - before)}
