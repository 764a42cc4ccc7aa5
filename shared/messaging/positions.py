"""Where each consumer goes on reading: stored beside the effects, changed only by compare-and-set or by a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.failures import SupersededError
from shared.messaging.records import Record


class Place(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Move(NamedTuple):
    """An advance of one partition: from the offset that must be stored now to the one that follows the batch."""

    place: Place
    expected: int
    following: int


def moves_of(records: Iterable[Record], expected: Mapping[Place, int]) -> list[Move]:
    """The advances that handling these records (in order within each partition) means, sorted by place so that two
    transactions never take the rows in opposite orders."""
    following: dict[tuple[str, int], int] = {}
    for topic, partition, offset, *_ in records:
        following[topic, partition] = offset + 1
    return [Move(Place(*at), expected[Place(*at)], following[at]) for at in sorted(following)]


_ADVANCE = text(
    """
    WITH due AS (
        SELECT p.ctid AS row_id, m.following
        FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:expected AS bigint[]),
                    CAST(:following AS bigint[])) AS m(topic, partition, expected, following)
        JOIN positions p ON p.consumer = :consumer AND p.topic = m.topic AND p.partition = m.partition
                        AND p.next_offset = m.expected
        ORDER BY p.topic, p.partition
        FOR UPDATE OF p
    )
    UPDATE positions p SET next_offset = due.following FROM due WHERE p.ctid = due.row_id
    """
)


async def advance(connection: AsyncConnection, consumer: str, moves: list[Move]) -> None:
    """Compare-and-set all the moves or raise `SupersededError`.

    Called first in the transaction: the row locks make a second owner of the same partition (a zombie, a retry whose
    first attempt is still committing) wait here and then find the comparison false, before it has done anything.
    """
    result = await connection.execute(
        _ADVANCE,
        {
            "consumer": consumer,
            "topics": [move.place.topic for move in moves],
            "partitions": [move.place.partition for move in moves],
            "expected": [move.expected for move in moves],
            "following": [move.following for move in moves],
        },
    )
    if result.rowcount != len(moves):
        raise SupersededError(
            f"{consumer}: {len(moves) - result.rowcount} of {len(moves)} positions have moved"
        )


async def load(connection: AsyncConnection, consumer: str) -> dict[Place, int]:
    """Everything this consumer has stored."""
    rows = await connection.execute(
        text("SELECT topic, partition, next_offset FROM positions WHERE consumer = :consumer"),
        {"consumer": consumer},
    )
    return {Place(row.topic, row.partition): row.next_offset for row in rows}


async def start_at(connection: AsyncConnection, consumer: str, offsets: Mapping[Place, int]) -> None:
    """Store first positions for partitions never read before; a stored one stays as it is."""
    for place in sorted(offsets):
        await connection.execute(
            text(
                "INSERT INTO positions (consumer, topic, partition, next_offset) "
                "VALUES (:consumer, :topic, :partition, :offset) ON CONFLICT DO NOTHING"
            ),
            {
                "consumer": consumer,
                "topic": place.topic,
                "partition": place.partition,
                "offset": offsets[place],
            },
        )


async def rewind(
    connection: AsyncConnection, consumer: str, topic: str, partition: int, offset: int
) -> int | None:
    """Set a stored position by hand; returns what it was, or None where the partition was never read.

    A running consumer notices by its next compare-and-set or its look at the table every second, drops what it has
    in hand and goes on from here. `shared.messaging.rewinding` finds the offset of an instant.
    """
    row = (
        await connection.execute(
            text(
                "SELECT next_offset FROM positions WHERE consumer = :consumer AND topic = :topic "
                "AND partition = :partition FOR UPDATE"
            ),
            {"consumer": consumer, "topic": topic, "partition": partition},
        )
    ).first()
    if row is None:
        return None
    await connection.execute(
        text(
            "UPDATE positions SET next_offset = :offset WHERE consumer = :consumer AND topic = :topic "
            "AND partition = :partition"
        ),
        {"consumer": consumer, "topic": topic, "partition": partition, "offset": offset},
    )
    return int(row.next_offset)


async def all_positions(connection: AsyncConnection) -> dict[str, dict[int, int]]:
    """The lowest stored position of each partition over all consumers of the service, for `/ops/progress`."""
    rows = await connection.execute(
        text(
            "SELECT topic, partition, min(next_offset) AS next_offset FROM positions GROUP BY topic, partition"
        )
    )
    found: dict[str, dict[int, int]] = {}
    for row in rows:
        found.setdefault(row.topic, {})[row.partition] = row.next_offset
    return found
