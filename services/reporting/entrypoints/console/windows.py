"""Exclusive windows on a time line: who holds which customer until when (CLM-23), published to everybody inside."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.reporting.entrypoints.console.page import named
from services.reporting.entrypoints.console.parts import Console
from services.reporting.entrypoints.console.visitor import SignedIn
from services.reporting.entrypoints.http import UnitFilter
from services.reporting.texts import word

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


def routes(console: Console) -> APIRouter:
    router = console.router()

    @router.get("/windows")
    async def windows(
        request: Request, who: SignedIn, unit: UnitFilter = None, span: Span = None, show: State = None
    ) -> Response:
        who.require("windows.read")
        now = console.pages.now()
        back, forth = _SPANS[span or "quarter"]
        rows = await console.read.windows(
            who.principal, now - back, now + forth, unit or None, (show or "all") == "all"
        )
        # Those that run come first, the next to end at the top; then what is over, the latest first.
        running = [row for row in rows if row["state"] in ("active", "settling")]
        over = [row for row in rows if row["state"] not in ("active", "settling")]
        running.sort(key=lambda row: (row["ends_at"], row["plan_id"]))
        over.sort(key=lambda row: (row["ends_at"], row["plan_id"]), reverse=True)
        rows = [*running, *over]
        language = who.manner.language
        line = {
            "from": (now - back).isoformat(),
            "to": (now + forth).isoformat(),
            "now": now.isoformat(),
            "today": word("windows", "today", language),
            "bars": [_bar(row, language) for row in rows[:_ON_THE_LINE_MAX]],
        }
        return await console.pages.show(
            request,
            who,
            "windows.html",
            rows=rows,
            running=len(running),
            ending=sum(
                row["state"] == "active" and row["ends_at"] <= now + timedelta(days=7) for row in rows
            ),
            settling=sum(row["state"] == "settling" for row in rows),
            line=line,
            more=max(0, len(rows) - _ON_THE_LINE_MAX),
            span=span or "quarter",
            asked=request.query_params,
        )

    return router


def _bar(row: dict[str, Any], language: Any) -> dict[str, Any]:
    end: datetime = row["ends_at"]
    return {
        "name": row["name"] or row["window_key"],
        "unit": named(row, "unit_name", language),
        "state": row["state"],
        "word": word("plan", row["state"], language),
        "from": row["opens_at"].isoformat(),
        "to": end.isoformat(),
        "settled": row["settled_at"].isoformat()
        if row["state"] == "settling" and row["settled_at"]
        else None,
        "last_day": None if row["last_day"] is None else row["last_day"].isoformat(),
    }
