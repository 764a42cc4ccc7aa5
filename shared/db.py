"""Engines on PostgreSQL: the pool, its time limits, and the plain address for connections outside the pool."""

from __future__ import annotations

from typing import Final

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_SECONDS: Final = 5.0
COMMAND_SECONDS: Final = 60.0
IDLE_TRANSACTION_MS: Final = 20_000


def create_engine(url: str, application: str, pool_size: int = 8) -> AsyncEngine:
    """An engine whose every wait ends: connecting, a statement, a lock, and an idle transaction on the server side."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        # A connection that died in the pool is found before it is used, instead of failing the first unit of work
        # after every restart of the database.
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "server_settings": {
                "application_name": application,
                # A stopped process (SIGSTOP, a hung host) must not hold row locks and the outbox lock for ever.
                "idle_in_transaction_session_timeout": str(IDLE_TRANSACTION_MS),
                "lock_timeout": "30000",
                # Short statements gain nothing from compilation and pay tens of milliseconds for it.
                "jit": "off",
                "timezone": "UTC",
            },
        },
    )


def plain_dsn(url: str) -> str:
    """The same address for asyncpg itself."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
