"""Merges: two codes that are one customer, what would become of both, and the signatures.

What a merge would do is shown before it is proposed: both sides beside each other, their totals and tiers and those of the
one customer. Nothing is saved by looking.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.peers import Command, PeerAnswer
from services.reporting.adapters.reads.customer360 import customer360 as read_customer360
from services.reporting.adapters.reads.rows import Row
from services.reporting.domain.refusals import UnknownMergeSides
from services.reporting.entrypoints.console.filters import Code
from services.reporting.entrypoints.console.forms import Form, path_of, seen
from services.reporting.entrypoints.console.parts import AtDesk, Desk, Number
from services.reporting.entrypoints.console.peer_room import show_list
from services.reporting.entrypoints.console.route import room
from services.reporting.entrypoints.console.standing import Effect, together
from shared.paging import Cursor
from shared.problems import Problem

State = Annotated[Literal["", "proposed", "merged", "refused", "withdrawn"] | None, Query()]

router = room()


@router.get("/merges")
async def merges(desk: AtDesk, state: State = None, cursor: Cursor = None) -> Response:
    desk.who.require("merges.read")
    return await list_page(desk, state or None, cursor)


async def list_page(
    desk: Desk,
    state: str | None,
    cursor: str | None,
    refused: Problem | None = None,
    form: Form | None = None,
) -> Response:
    asked = {"state": state, "cursor": cursor}
    return await show_list(
        desk, "merges.html", "registry", "/v1/merges", asked, refused=refused, form=form, state=state or ""
    )


@router.get("/merges/new")
async def preview(desk: AtDesk, survivor: Code = None, alias: Code = None) -> Response:
    desk.who.require("merges.propose")
    return await preview_page(desk, survivor or "", alias or "")


async def preview_page(
    desk: Desk, survivor: str, alias: str, refused: Problem | None = None, form: Form | None = None
) -> Response:
    """The page on which a merge is proposed. Codes that mean no two customers in scope lead back to where they are typed."""
    sides = await _sides(desk, survivor.strip(), alias.strip())
    typed = form or Form({"survivor": survivor.strip(), "alias": alias.strip()})
    if sides is None:
        unknown = Problem(UnknownMergeSides())
        return await list_page(desk, None, None, refused or unknown, typed)
    return desk.show(
        "merge_new.html",
        refused=refused,
        form=typed,
        sides=sides,
        effects=await _effects(desk, survivor, alias),
    )


@router.post("/merges")
async def propose(desk: AtDesk) -> Response:
    form = await desk.form()
    body = form.given("survivor", "alias", "reason")
    try:
        told = await desk.tell(Command("registry", "/v1/merges", body, form.key))
    except Problem as refused:
        return await preview_page(desk, form["survivor"], form["alias"], refused, form.after(refused))
    return seen(path_of("merges", told["id"]), "merge_proposed")


@router.get("/merges/{number}")
async def merge(desk: AtDesk, number: Number) -> Response:
    desk.who.require("merges.read")
    return await one(desk, number)


async def one(desk: Desk, number: int, refused: Problem | None = None, form: Form | None = None) -> Response:
    found = await desk.get("registry", path_of("v1", "merges", number))
    proposed = found["state"] == "proposed"
    survivor, alias = str(found["survivor"]), str(found["alias"])
    return desk.show(
        "merge.html",
        refused=refused,
        form=form,
        found=found,
        sides=await _sides(desk, survivor, alias) if proposed else None,
        effects=await _effects(desk, survivor, alias) if proposed else [],
    )


@router.post("/merges/{number}/{act}")
async def act(desk: AtDesk, number: Number, act: Literal["sign", "refuse"]) -> Response:
    form = await desk.form()
    body: dict[str, Any] = form.given("comment" if act == "sign" else "reason")
    if act == "sign":
        # What was looked at is signed: had either customer changed since, the registry refuses.
        body |= {
            name: int(form[name]) for name in ("survivor_version", "alias_version") if form[name].isdecimal()
        }
    try:
        told = await desk.tell(
            Command("registry", path_of("v1", "merges", number, act), body, form.key, form["version"] or None)
        )
    except Problem as refused:
        return await one(desk, number, refused, form.after(refused))
    done = {"merged": "merge_merged", "withdrawn": "merge_withdraw"}.get(told["state"], f"merge_{act}")
    return seen(path_of("merges", number), done)


async def _sides(desk: Desk, survivor: str, alias: str) -> tuple[Row, Row] | None:
    """Both customers as their pages show them; None unless they are two that the reader sees."""
    if not desk.who.may("customers.read"):
        return None
    one = await desk.read(read_customer360, survivor)
    other = await desk.read(read_customer360, alias)
    if one is None or other is None:
        return None
    if one["customer"]["customer_code"] == other["customer"]["customer_code"]:
        return None
    return _side(one, desk), _side(other, desk)


def _side(found: Row, desk: Desk) -> Row:
    year = max((row["year"] for row in found["revenue"]), default=None)
    return {
        **found,
        "year": year,
        "year_fen": sum(row["amount_fen"] for row in found["revenue"] if row["year"] == year),
        "in_force": [one for one in found["agreements"] if one["state"] == "in_force"],
        "managers": [
            desk.names.person(found["customer"][part], desk.language)
            for part in ("manager_a", "manager_b")
            if found["customer"][part]
        ],
    }


async def _effects(desk: Desk, survivor: str, alias: str) -> list[Effect]:
    asked = [
        desk.perhaps("tiering", path_of("v1", "customers", code, "tiers"), {"explain": "true"})
        for code in (survivor.strip(), alias.strip())
    ]
    one, other = await desk.together(*asked)
    return [] if one is None or other is None else together(PeerAnswer(one), PeerAnswer(other))
