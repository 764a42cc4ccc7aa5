"""Hearing that views changed: PostgreSQL tells it in the batch's own transaction, so a page that reads again after the
word sees the change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import asyncpg
import structlog

from shared.messaging.failures import Backoff, describe

log = structlog.get_logger(__name__)

CHANNEL: Final = "views"
EVERYTHING: Final = "*"
"""Said after a gap in listening: whatever changed meanwhile was not heard."""

_PROBE_SECONDS: Final = 10.0

Heard = Callable[[Iterable[str]], None]


class ViewListener:
    """One connection of this process that listens. `heard` gets the names of the views that changed."""

    def __init__(self, dsn: str, heard: Heard) -> None:
        self._dsn = dsn
        self._heard = heard
        self.listening = False

    async def run(self) -> None:
        """Listen for ever; a lost connection is made anew, and then everything counts as changed."""
        backoff = Backoff(0.2, 5.0)
        while True:
            try:
                await self._listen(backoff)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as fault:
                log.warning("the views cannot be listened to", error=describe(fault))
            finally:
                self.listening = False
            await asyncio.sleep(backoff.next())

    async def _listen(self, backoff: Backoff) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10)
        try:
            await connection.add_listener(CHANNEL, self._on_notice)
            self.listening = True
            backoff.reset()
            self._heard((EVERYTHING,))
            while True:
                # A connection that died quietly says nothing; asking finds out.
                await asyncio.sleep(_PROBE_SECONDS)
                await connection.execute("SELECT 1", timeout=5)
        finally:
            connection.terminate()

    def _on_notice(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._heard(name for name in str(payload).split(",") if name)
