"""The address of the live stream (`live`)."""

from __future__ import annotations

from datetime import datetime

from fastapi import Request
from fastapi.responses import StreamingResponse

from services.reporting.adapters.reads.freshness import latest_event
from services.reporting.entrypoints.console.live import StreamAnswer, events, too_many
from services.reporting.entrypoints.console.parts import console_of
from services.reporting.entrypoints.console.route import room
from services.reporting.entrypoints.console.visitor import SignedIn, Visitor, verifier

router = room()


@router.get("/live")
async def live(request: Request, who: SignedIn) -> StreamingResponse:
    console = console_of(request)
    stream = console.hub.open(who.principal.user)
    if stream is None:
        return too_many()

    async def as_of(visitor: Visitor) -> datetime | None:
        return await console.reads.read(visitor.principal, latest_event)

    told = events(console.hub, stream, who, as_of, verifier(request), console.clock)
    return StreamAnswer(console.hub, stream, told)
