"""How old the data is: what each view reflects, partition by partition (REP-2)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.reporting.entrypoints.console.parts import Console
from services.reporting.entrypoints.console.visitor import SignedIn


def routes(console: Console) -> APIRouter:
    router = console.router()

    @router.get("/freshness")
    async def freshness(request: Request, who: SignedIn) -> Response:
        who.require("customers.read")
        views: dict[str, dict[str, Any]] = {}
        for row in await console.read.freshness(who.principal):
            view = views.setdefault(row["view"], {"view": row["view"], "event_time": None, "partitions": []})
            view["partitions"].append(row)
            if row["event_time"] is not None:
                view["event_time"] = max(row["event_time"], view["event_time"] or row["event_time"])
        return await console.pages.show(request, who, "freshness.html", views=list(views.values()))

    return router
