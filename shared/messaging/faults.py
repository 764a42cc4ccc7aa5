"""What background work could not do: an item that fails by itself is given up, stored as a fault, and the others go on.

A consumer's way with records (`batches`), for work that comes from tables: a batch that fails is halved until the item is
found, the item is tried three times, and then a row says which item of which task failed, where, and since when. It is
tried again after a while, longer each time, and at every start of the service, because a new version may be able to do
it; the row goes when the item has been done. Nobody waits for an item that was given up, and nobody overlooks it: it
stands in `/ops/progress` and `/health/ready`, and a metric counts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.failures import Kind, classify, describe
from shared.messaging.metrics import FAILURES, FAULTS
from shared.messaging.unit_of_work import UnitOfWork
from shared.messaging.work import Work

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
"""How often a single item is tried before it is given up."""
IN_A_ROW: Final = 5
"""So many given up without one success between look like a fault of everything: the task pauses, and goes on behind
them."""
FIRST_REST_S: Final = 600
LAST_REST_S: Final = 6 * 3600
PAUSE_S: Final = 0.02

Item = TypeVar("Item")


class Fault(NamedTuple):
    """An item that was given up."""

    task: str
    item: str
    error: str
    failures: int
    first_failed_at: datetime
    failed_at: datetime


class EverythingFailsError(Exception):
    """Item after item of a background task fails."""


# The instants are the database's: what rests here is work of the machine, and a sandbox's clock may stand still for days.
_GIVE_UP = text(
    f"""
    INSERT INTO faults (task, item, error, first_failed_at, failed_at, retry_at)
    VALUES (:task, :item, :error, clock_timestamp(), clock_timestamp(),
            clock_timestamp() + make_interval(secs => {FIRST_REST_S}))
    ON CONFLICT (task, item) DO UPDATE SET error = excluded.error, failures = faults.failures + 1,
        failed_at = excluded.failed_at, retry_at = clock_timestamp()
            + make_interval(secs => least({FIRST_REST_S} * power(2, least(faults.failures, 20)), {LAST_REST_S}))
    """
)
_DONE = text("DELETE FROM faults WHERE task = :task AND item = ANY(CAST(:items AS text[]))")
_RESTING = text("SELECT item FROM faults WHERE task = :task")
_AGAIN = text(
    "SELECT item FROM faults WHERE task = :task AND retry_at <= clock_timestamp() ORDER BY retry_at LIMIT 100"
)
_OPEN = text(
    "SELECT task, item, error, failures, first_failed_at, failed_at FROM faults ORDER BY first_failed_at, task, item "
    "LIMIT :limit"
)
_COUNTS = text("SELECT task, count(*) FROM faults GROUP BY task ORDER BY task")
_RETRY_ALL = text("UPDATE faults SET retry_at = clock_timestamp()")


async def give_up(work: Work, task: str, item: str, error: Exception) -> None:
    """Note that an item was given up, and when it is to be tried again."""
    described = describe(error)
    await work.connection.execute(_GIVE_UP, {"task": task, "item": item, "error": described})
    work.after_commit(
        lambda: log.error("an item of background work was given up", task=task, item=item, error=described)
    )


async def done(work: Work, task: str, items: Iterable[str]) -> None:
    """Items that have been done are no fault any more."""
    await work.connection.execute(_DONE, {"task": task, "items": list(items)})


async def given_up(connection: AsyncConnection, task: str) -> list[str]:
    """Every item of a task that is given up at present."""
    return list(await connection.scalars(_RESTING, {"task": task}))


async def due_again(connection: AsyncConnection, task: str) -> list[str]:
    """Items whose rest is over."""
    return list(await connection.scalars(_AGAIN, {"task": task}))


async def listed(connection: AsyncConnection, limit: int = 100) -> list[Fault]:
    """What is given up at present, the oldest first."""
    return [Fault(*row) for row in await connection.execute(_OPEN, {"limit": limit})]


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """How many items of each task are given up; the metric follows."""
    found = {task: int(number) for task, number in await connection.execute(_COUNTS)}
    FAULTS.clear()
    for task, number in found.items():
        FAULTS.labels(task).set(number)
    return found


async def retry_all(unit_of_work: UnitOfWork) -> None:
    """At the start of a service: what an earlier version could not do is tried once more."""
    async with unit_of_work.begin() as work:
        await work.connection.execute(_RETRY_ALL)


async def isolate(
    unit_of_work: UnitOfWork,
    task: str,
    items: Sequence[Item],
    handle: Callable[[Work, Sequence[Item]], Awaitable[Any]],
    *,
    name: Callable[[Item], str] = str,
    set_aside: Callable[[Work, Item], Awaitable[Any]] | None = None,
) -> int:
    """Handle all the items, in order and in as few transactions as go through; how many were given up.

    `set_aside` takes an item that is given up out of whatever it waits in, in the transaction that notes the fault. A
    passing fault is raised: the caller waits and begins again. Raises `EverythingFailsError` after five in a row.
    """
    todo: list[Sequence[Item]] = [items] if len(items) else []
    lost = in_a_row = 0
    while todo:
        part = todo.pop()
        failure = await _attempt(unit_of_work, task, part, handle, name)
        if failure is None:
            in_a_row = 0
        elif len(part) > 1:
            middle = len(part) // 2
            todo += (part[middle:], part[:middle])
        else:
            async with unit_of_work.begin() as work:
                if set_aside is not None:
                    await set_aside(work, part[0])
                await give_up(work, task, name(part[0]), failure)
            lost, in_a_row = lost + 1, in_a_row + 1
            if in_a_row >= IN_A_ROW:
                raise EverythingFailsError(describe(failure)) from failure
    return lost


async def _attempt(
    unit_of_work: UnitOfWork,
    task: str,
    part: Sequence[Item],
    handle: Callable[[Work, Sequence[Item]], Awaitable[Any]],
    name: Callable[[Item], str],
) -> Exception | None:
    """One transaction for all of them, or the fault that it showed; a single item has three tries."""
    for attempt in range(1 if len(part) > 1 else ATTEMPTS):
        if attempt:
            await asyncio.sleep(PAUSE_S)
        try:
            async with unit_of_work.begin() as work:
                await handle(work, part)
                if len(part) == 1:
                    await done(work, task, [name(part[0])])
        except Exception as error:
            kind = classify(error)
            FAILURES.labels(task, kind.value).inc()
            if kind is Kind.TRANSIENT:
                raise
            failure = error
        else:
            return None
    return failure
