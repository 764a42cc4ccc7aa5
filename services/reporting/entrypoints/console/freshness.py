"""How old the data is: what each view reflects, partition by partition (REP-2)."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from services.reporting.adapters.reads.freshness import freshness as read_freshness
from services.reporting.entrypoints.console.parts import AtDesk
from services.reporting.entrypoints.console.route import room

router = room()


@router.get("/freshness")
async def freshness(desk: AtDesk) -> Response:
    desk.who.require("customers.read")
    views: dict[str, dict[str, Any]] = {}
    for row in await desk.read(read_freshness):
        view = views.setdefault(row["view"], {"view": row["view"], "event_time": None, "partitions": []})
        view["partitions"].append(row)
        if row["event_time"] is not None:
            view["event_time"] = max(row["event_time"], view["event_time"] or row["event_time"])
    return desk.show("freshness.html", views=list(views.values()))
