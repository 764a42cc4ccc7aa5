"""Pages that follow what happens: one LISTEN for the process, one stream of server-sent events for each open page.

A stream carries the names of the views that changed, never rows: the page asks for its part again under its own rights.
Words that come close together go out as one. Every 15 seconds a beat goes out, with the time that the views reflect, so
that both ends notice a connection that died; a page that hears nothing says so.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.reporting.entrypoints.console.visitor import Visitor
from shared.auth.tokens import TokenRefused, TokenVerifier
from shared.clock import Clock
from shared.ids import new_id

BEAT_SECONDS: Final = 15.0
TOGETHER_SECONDS: Final = 0.25
STREAMS_PER_USER: Final = 8
_RETRY_MS: Final = 2_000

_HEADERS: Final = {
    "cache-control": "no-store",
    # A proxy that collected the stream would deliver it in lumps.
    "x-accel-buffering": "no",
}


@dataclass(eq=False, slots=True)
class Stream:
    """One open page: what changed since it was last told."""

    user: str
    changed: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """Hands every word on to all open pages of this process."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self._users: Counter[str] = Counter()
        self._closing = False
        self._name = new_id()[:8]
        self._count = 0

    @property
    def mark(self) -> str:
        """How much this process has heard. A page carries the mark of the moment before it was read; where the stream
        begins with another, something changed in between, and the page asks again."""
        return f"{self._name}.{self._count}"

    def heard(self, views: Iterable[str]) -> None:
        """Some views changed."""
        self._count += 1
        names = frozenset(views)
        for stream in self._streams:
            stream.changed |= names
            stream.woken.set()

    def open(self, user: str) -> Stream | None:
        """None when the person has too many pages open: one person's browsers do not hold every connection."""
        if self._users[user] >= STREAMS_PER_USER:
            return None
        stream = Stream(user)
        self._streams.add(stream)
        self._users[user] += 1
        return stream

    def close(self, stream: Stream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
            self._users[stream.user] -= 1

    def end(self) -> None:
        """The process ends: no stream may keep it waiting."""
        self._closing = True
        for stream in self._streams:
            stream.woken.set()

    @property
    def ending(self) -> bool:
        return self._closing

    @property
    def pages(self) -> int:
        return len(self._streams)


AsOf = Callable[[Visitor], Awaitable[datetime | None]]


class StreamAnswer(StreamingResponse):
    """Gives the stream back however it ends, also where the browser left before the first byte."""

    def __init__(self, hub: Hub, stream: Stream, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS)
        self._hub = hub
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.close(self._stream)


def too_many() -> StreamingResponse:
    """Told as an event: a browser tells its page nothing about a refused stream, and tries again."""
    return StreamingResponse(
        iter((b"event: too-many\ndata: {}\n\n",)), media_type="text/event-stream", headers=_HEADERS
    )


async def events(
    hub: Hub, stream: Stream, who: Visitor, as_of: AsOf, tokens: TokenVerifier, clock: Clock
) -> AsyncIterator[bytes]:
    """What one page hears, as server-sent events. `now` goes with each: the page's hours run by the server's clock, which
    in a sandbox jumps."""

    async def event(name: str, views: Iterable[str] = ()) -> bytes:
        reached = await as_of(who) if who.may("customers.read") else None
        told = {
            "views": list(views),
            "mark": hub.mark,
            "as_of": None if reached is None else reached.isoformat(),
            "now": clock.now().isoformat(),
        }
        return f"event: {name}\ndata: {orjson.dumps(told).decode()}\n\n".encode()

    yield f"retry: {_RETRY_MS}\n\n".encode()
    yield await event("beat")
    while not hub.ending:
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await stream.woken.wait()
        except TimeoutError:
            try:
                tokens.verify(who.token)
            except TokenRefused:
                # The page goes to the sign-in page at its next request; its figures stop here.
                yield b"event: signed-out\ndata: {}\n\n"
                return
            yield await event("beat")
            continue
        await asyncio.sleep(TOGETHER_SECONDS)
        stream.woken.clear()
        changed, stream.changed = stream.changed, set()
        if changed:
            yield await event("views", sorted(changed))
