"""Files of the lists: the same figures as the screen, under the person's own rights, passed on piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Literal

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from services.reporting.entrypoints.console.parts import console_of
from services.reporting.entrypoints.console.route import room
from services.reporting.entrypoints.console.visitor import SignedIn
from services.reporting.entrypoints.exports import Name

_KEPT = ("content-type", "content-disposition", "content-length")


router = room()


@router.get("/exports/{table}.{form}")
async def export(request: Request, who: SignedIn, table: Name, form: Literal["csv", "xlsx"]) -> Response:
    # A filter of the page that was left empty is none; where the page stood in its list does not matter.
    asked = {
        key: value for key, value in request.query_params.items() if value and key not in ("cursor", "lang")
    }
    console = console_of(request)
    if "unit" in asked:
        # As on the page, where a unit may be typed by its name.
        asked["unit"] = (await console.directory.names(who)).unit_meant(asked["unit"]) or ""
    stack = AsyncExitStack()
    # Entered before the answer begins, so that a refusal is still a page of its own.
    file = await stack.enter_async_context(
        console.peers.download(who.on_behalf, "reporting", f"/v1/exports/{table}.{form}", asked)
    )

    async def pieces() -> AsyncIterator[bytes]:
        async with stack:
            async for piece in file.aiter_bytes():
                yield piece

    headers = {key: file.headers[key] for key in _KEPT if key in file.headers}
    return StreamingResponse(pieces(), headers={**headers, "cache-control": "no-store"})
