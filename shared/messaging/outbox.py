"""The outbox: records that commit with their cause and are published in the order of their commits."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.failpoints import failpoint
from shared.messaging.records import encode_headers
from shared.messaging.work import Work

APPEND_LOCK: Final = 7_305_001
CHANNEL: Final = "keypost_outbox"

_LINE_UP = text(f"SELECT pg_advisory_xact_lock({APPEND_LOCK}), pg_notify('{CHANNEL}', '')")


async def append(work: Work) -> None:
    """Write what the work collected.

    Ids are handed out when a row is written, not when it commits. Without the lock a transaction that took ids early
    and commits late would appear behind the relay's position and never be published; with it, whoever takes ids
    commits before the next one takes any. The lock ends with the transaction, after its rows have become visible.
    """
    if not work.outgoing:
        return
    await work.connection.execute(_LINE_UP)
    raw = await work.raw()
    await raw.copy_records_to_table(
        "outbox",
        columns=("topic", "key", "value", "headers"),
        records=[(o.topic, o.key, o.value, encode_headers(o.headers)) for o in work.outgoing],
    )
    await failpoint("outbox_after_id")


_PENDING = text(
    "SELECT count(*) FROM outbox WHERE id > greatest(CAST(:published AS bigint),"
    " coalesce((SELECT published_id FROM relay_hint WHERE shard = 0), 0))"
)


async def pending(connection: AsyncConnection, published: int = 0) -> int:
    """Rows not yet published, as far as the database or the caller (`published`, an outbox id) knows."""
    return int((await connection.execute(_PENDING, {"published": published})).scalar_one())
