"""A limit on request bodies, so that no call can fill the memory of a service (PLT-14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kernel.refusals import Kind, Refusal
from shared.problems import Problem, response

BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""A thousand transactions or five hundred customers fit in a tenth of it."""


@dataclass(frozen=True, slots=True)
class BodyTooLarge(Refusal):
    """A body of more bytes than are read."""

    limit: int
    code: ClassVar[str] = "body_too_large"
    kind: ClassVar[Kind] = "too_large"


class BodyLimit:
    """ASGI middleware: 413 before a body whose announced length is over the limit is read. A body in chunks is counted
    and broken off, which the framework tells as a body that it could not read."""

    def __init__(self, app: ASGIApp, limit: int = BODY_BYTES_MAX) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > self._limit:
            await response(Request(scope), self._problem())(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise self._problem()
            return message

        await self._app(scope, counted, send)

    def _problem(self) -> Problem:
        return Problem(BodyTooLarge(self._limit))
