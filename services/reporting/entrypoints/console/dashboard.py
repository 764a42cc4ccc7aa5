"""The first page: how the key accounts stand, what moves, and what is waited for."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.reporting.entrypoints.console.parts import Console
from services.reporting.entrypoints.console.visitor import SignedIn, wire_language
from shared.auth.policy import permit
from shared.problems import sentence


def routes(console: Console) -> APIRouter:
    router = console.router()

    @router.get("/")
    async def dashboard(request: Request, who: SignedIn) -> Response:
        refusal = permit(who.principal, "customers.read")
        if refusal is not None:
            return await console.pages.show(
                request,
                who,
                "no_room.html",
                status=403,
                sentence=sentence(refusal, wire_language(who.manner.language)),
            )
        found = await console.read.dashboard(who.principal)
        return await console.pages.show(
            request, who, "dashboard.html", board=found, tiers=_pyramid(found["tiers"])
        )

    return router


_ORDER = ("diamond", "platinum", "gold", "silver", "vip", "ordinary", "none")


def _pyramid(tiers: list[dict[str, object]]) -> dict[str, list[dict[str, object]]]:
    """The counts of each scheme from the highest tier down, those without a tier left out."""
    schemes: dict[str, list[dict[str, object]]] = {}
    for row in tiers:
        if row["tier"] != "none":
            schemes.setdefault(str(row["scheme"]), []).append(row)
    for rows in schemes.values():
        rows.sort(key=lambda row: _ORDER.index(str(row["tier"])) if row["tier"] in _ORDER else len(_ORDER))
    return schemes
