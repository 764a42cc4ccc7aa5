"""Messages that were given up: a row until a person disposes of it, and the record byte for byte on a topic."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.operation_v1 import DISPOSED
from shared.contracts.topics import BY_NAME, dead_letter_topic
from shared.messaging.metrics import DEAD_LETTERS
from shared.messaging.records import Headers, Outgoing, decode_headers, encode_headers
from shared.messaging.work import DeadLetter, Work

_INSERT = text(
    """
    INSERT INTO dead_letters (consumer, reason, detail, topic, partition, "offset", key, value, headers, failed_at)
    VALUES (:consumer, :reason, :detail, :topic, :partition, :offset, :key, :value, :headers, :failed_at)
    ON CONFLICT (consumer, topic, partition, "offset") DO NOTHING RETURNING id
    """
)


async def flush(work: Work) -> None:
    """Write the rows; publish only those that are new, so that a rewound consumer publishes nothing twice."""
    for letter in work.dead_letters:
        record = letter.record
        inserted = await work.connection.execute(
            _INSERT,
            {
                "consumer": work.consumer,
                "reason": letter.reason,
                "detail": letter.detail.replace("\x00", "\\x00").encode("utf-8", "replace").decode(),
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "key": record.key,
                "value": record.value,
                "headers": encode_headers(record.headers),
                "failed_at": work.now,
            },
        )
        if inserted.first() is not None:
            work.publish(published(work.service, letter, work.now))
            reason = letter.reason
            work.after_commit(lambda reason=reason: DEAD_LETTERS.labels(reason).inc())  # type: ignore[misc]


def published(service: str, letter: DeadLetter, failed_at: datetime) -> Outgoing:
    """The record of the dead-letter topic: the original's key, value and headers, and ours after them, so that of
    double names (a dead letter that failed again) the last one is the current one."""
    record = letter.record
    return Outgoing(
        dead_letter_topic(service),
        record.key,
        record.value,
        (
            *record.headers,
            ("x-reason", letter.reason.encode()),
            ("x-detail", letter.detail.encode("utf-8", "replace")),
            ("x-origin-topic", record.topic.encode()),
            ("x-origin-partition", str(record.partition).encode()),
            ("x-origin-offset", str(record.offset).encode()),
            ("x-failed-at", failed_at.isoformat().encode()),
        ),
    )


class Row(NamedTuple):
    """A dead letter as it is kept."""

    id: int
    consumer: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    failed_at: datetime
    state: Literal["open", "replayed", "closed"]
    decided_by: str | None
    decided_at: datetime | None


_COLUMNS = (
    'id, consumer, reason, detail, topic, partition, "offset", key, value, headers, failed_at, state, decided_by, '
    "decided_at"
)


def _row(found: Any) -> Row:
    values = list(found)
    values[9] = decode_headers(values[9])
    return Row(*values)


async def listed(
    connection: AsyncConnection, state: str | None = "open", after: int = 0, limit: int = 100
) -> list[Row]:
    """A page in the order of failing; `after` is the last id of the page before, `state` None means all."""
    rows = await connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM dead_letters WHERE id > :after "
            "AND (CAST(:state AS text) IS NULL OR state = :state) ORDER BY id LIMIT :limit"
        ),
        {"after": after, "state": state, "limit": limit},
    )
    return [_row(row) for row in rows]


async def one(connection: AsyncConnection, letter_id: int) -> Row | None:
    row = (
        await connection.execute(
            text(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = :id"), {"id": letter_id}
        )
    ).first()
    return None if row is None else _row(row)


class NotReplayable(Exception):
    """Why a dead letter cannot be sent back: `unknown`, `already_decided` or `not_our_topic`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def replay(work: Work, letter_id: int, decided_by: str, value: bytes | None = None) -> Row:
    """Send the message back to the topic it came from, with a corrected value if one is given.

    Only where this service may produce to that topic; elsewhere the way back is to rewind the consumer. The original
    stays in its row. Raises `NotReplayable`.
    """
    row = await one(work.connection, letter_id)
    if row is None:
        raise NotReplayable("unknown")
    topic = BY_NAME.get(row.topic)
    if topic is None or work.service not in topic.producers:
        raise NotReplayable("not_our_topic")
    if not await decide(work, letter_id, "replayed", decided_by):
        raise NotReplayable("already_decided")
    work.publish(Outgoing(row.topic, row.key, row.value if value is None else value, row.headers))
    return row


async def decide(work: Work, letter_id: int, state: Literal["replayed", "closed"], decided_by: str) -> bool:
    """Dispose of an open dead letter and tell others so; False where it is not open (any more)."""
    done = await work.connection.execute(
        text(
            "UPDATE dead_letters SET state = :state, decided_by = :decided_by, decided_at = :now "
            "WHERE id = :id AND state = 'open' RETURNING consumer, topic, partition, \"offset\""
        ),
        {"state": state, "decided_by": decided_by, "now": work.now, "id": letter_id},
    )
    row = done.first()
    if row is None:
        return False
    told = DISPOSED[work.service](
        dead_letter_id=letter_id,
        consumer=row.consumer,
        origin_topic=row.topic,
        origin_partition=row.partition,
        origin_offset=row.offset,
        state=state,
        decided_by=decided_by,
        decided_at=work.now,
    )
    # A dead letter is disposed of once, so the id says which event this is however often the request comes.
    key, content, headers = told.outgoing(id=f"dead-letter|{work.service}|{letter_id}|{state}", time=work.now)
    work.publish(Outgoing(told.TOPIC, key, content, headers))
    return True
