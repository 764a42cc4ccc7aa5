"""Exclusive windows on a time line: who holds which customer until when (CLM-23), published to everybody inside."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from fastapi.responses import Response

from services.reporting.adapters.reads.windows import windows as read_windows
from services.reporting.entrypoints.console.filters import Unit
from services.reporting.entrypoints.console.forms import path_of
from services.reporting.entrypoints.console.page import named
from services.reporting.entrypoints.console.parts import AtDesk
from services.reporting.entrypoints.console.route import room
from shared.clock import business_date
from shared.texts import Language, word

Span = Annotated[Literal["", "month", "quarter", "year"] | None, Query()]
State = Annotated[Literal["", "now", "all"] | None, Query()]

_SPANS: Final = {
    "month": (timedelta(days=7), timedelta(days=31)),
    "quarter": (timedelta(days=31), timedelta(days=62)),
    "year": (timedelta(days=270), timedelta(days=95)),
}
"""How far back and forth a view of the time line looks."""
_ON_THE_LINE_MAX: Final = 60
"""More bars than this are not readable; the table shows them all."""


router = room()


@router.get("/windows")
async def windows(desk: AtDesk, unit: Unit = None, span: Span = None, show: State = None) -> Response:
    desk.who.require("windows.read")
    now = desk.now
    back, forth = _SPANS[span or "quarter"]
    rows = await desk.read(
        read_windows, now - back, now + forth, desk.names.unit_meant(unit), (show or "all") == "all"
    )
    # Those that run come first, the next to end at the top; then what is over, the latest first.
    running = [row for row in rows if row["state"] in ("active", "settling")]
    over = [row for row in rows if row["state"] not in ("active", "settling")]
    running.sort(key=lambda row: (row["ends_at"], row["plan_id"]))
    over.sort(key=lambda row: (row["ends_at"], row["plan_id"]), reverse=True)
    rows = [*running, *over]
    language = desk.language
    line = {
        "from": (now - back).isoformat(),
        "to": (now + forth).isoformat(),
        "now": now.isoformat(),
        "today": word("windows", "today", language),
        "bars": [_bar(row, language) for row in rows[:_ON_THE_LINE_MAX]],
    }
    return desk.show(
        "windows.html",
        rows=rows,
        running=len(running),
        ending=sum(row["state"] == "active" and row["ends_at"] <= now + timedelta(days=7) for row in rows),
        settling=sum(row["state"] == "settling" for row in rows),
        line=line,
        more=max(0, len(rows) - _ON_THE_LINE_MAX),
        span=span or "quarter",
        asked=desk.query,
    )


def _bar(row: dict[str, Any], language: Language) -> dict[str, Any]:
    end: datetime = row["ends_at"]
    settling = row["state"] == "settling" and row["settled_at"]
    return {
        "name": row["name"] or row["window_key"],
        "unit": named(row, "unit_name", language),
        "state": row["state"],
        "word": word("plan", row["state"], language),
        "from": row["opens_at"].isoformat(),
        "to": end.isoformat(),
        "settled": row["settled_at"].isoformat() if settling else None,
        # Days are those of Shanghai: the instant itself is on another day in London.
        "first_day": business_date(row["opens_at"]).isoformat(),
        "last_day": (row["last_day"] or business_date(end)).isoformat(),
        "leads": path_of("plans", row["plan_id"]) if row["plan_seen"] else None,
    }
