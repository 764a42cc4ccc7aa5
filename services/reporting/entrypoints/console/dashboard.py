"""The first page: how the key accounts stand, what moves, and what is waited for."""

from __future__ import annotations

from typing import Final

from fastapi.responses import Response

from services.reporting.adapters.peers import PeerAnswer
from services.reporting.adapters.reads.dashboard import dashboard as read_dashboard
from services.reporting.adapters.reads.units import units as read_units
from services.reporting.entrypoints.console.page import TIERS
from services.reporting.entrypoints.console.parts import AtDesk, Desk
from services.reporting.entrypoints.console.route import room

STAFF_MAX: Final = 500

router = room()


@router.get("/")
async def dashboard(desk: AtDesk) -> Response:
    if not desk.who.may("customers.read"):
        return await organisation(desk)
    found = await desk.read(read_dashboard)
    return desk.show("dashboard.html", board=found, tiers=_pyramid(found["tiers"]))


async def organisation(desk: Desk) -> Response:
    """The first page of somebody who has no part in customer data: the units and people that they keep."""
    desk.who.require("units.read")
    staff = (
        await desk.perhaps("registry", "/v1/staff", {"limit": STAFF_MAX})
        if desk.who.may("staff.read")
        else None
    )
    return desk.show(
        "organisation.html",
        tree=await desk.read(read_units),
        staff=(staff or PeerAnswer())["items"] or [],
        more=bool((staff or PeerAnswer())["next_cursor"]),
    )


def _pyramid(tiers: list[dict[str, object]]) -> dict[str, list[dict[str, object]]]:
    """The counts of each scheme from the highest tier down, those without a tier left out."""
    schemes: dict[str, list[dict[str, object]]] = {}
    for row in tiers:
        if row["tier"] != "none":
            schemes.setdefault(str(row["scheme"]), []).append(row)
    for rows in schemes.values():
        rows.sort(key=lambda row: TIERS.index(str(row["tier"])) if row["tier"] in TIERS else len(TIERS))
    return schemes
