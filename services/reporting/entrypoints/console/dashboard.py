"""The first page: how the key accounts stand, what moves, and what is waited for."""

from __future__ import annotations

from fastapi.responses import Response

from services.reporting.entrypoints.console.page import TIERS
from services.reporting.entrypoints.console.parts import AtDesk
from services.reporting.entrypoints.console.route import room
from shared.auth.policy import permit

router = room()


@router.get("/")
async def dashboard(desk: AtDesk) -> Response:
    refusal = permit(desk.who.principal, "customers.read")
    if refusal is not None:
        return desk.show("no_room.html", status=403, sentence=refusal)
    found = await desk.read.dashboard(desk.principal)
    return desk.show("dashboard.html", board=found, tiers=_pyramid(found["tiers"]))


def _pyramid(tiers: list[dict[str, object]]) -> dict[str, list[dict[str, object]]]:
    """The counts of each scheme from the highest tier down, those without a tier left out."""
    schemes: dict[str, list[dict[str, object]]] = {}
    for row in tiers:
        if row["tier"] != "none":
            schemes.setdefault(str(row["scheme"]), []).append(row)
    for rows in schemes.values():
        rows.sort(key=lambda row: TIERS.index(str(row["tier"])) if row["tier"] in TIERS else len(TIERS))
    return schemes
