"""The smallest service, as its `main.py` and `__main__.py` would be: run as a process by the tests of the skeleton."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy import text

from shared.lifecycle import run
from shared.messaging import timers
from shared.messaging.records import Outgoing, Record
from shared.messaging.timers import Timer
from shared.messaging.work import Work
from shared.service import Platform, Service


class Copy:
    """Stores what comes, publishes it again, and sets a timer for each record."""

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        for record in records:
            await work.connection.execute(
                text(
                    "INSERT INTO effects (topic, partition, at, value) VALUES (:topic, :partition, :at, :value)"
                ),
                {
                    "topic": record.topic,
                    "partition": record.partition,
                    "at": record.offset,
                    "value": record.value,
                },
            )
            work.publish(Outgoing(os.environ["OUT"], record.key, record.value))
            await timers.schedule(work, "later", f"{record.partition}/{record.offset}", work.now)

    def discard(self) -> None:
        """Nothing is kept in memory."""


async def later(work: Work, timer: Timer) -> None:
    work.publish(Outgoing(os.environ["OUT"], timer.subject.encode(), b"later"))


def build(platform: Platform) -> Service:
    router = APIRouter(prefix="/v1")

    @router.get("/hello")
    async def hello() -> dict[str, str]:
        """A route of its own."""
        return {"hello": "world"}

    return Service(
        platform=platform,
        title="Copy",
        consumers=[platform.consumer("copy", (os.environ["IN"],), Copy(), max_records=100)],
        timers={"later": later},
        routers=[router],
    )


if __name__ == "__main__":
    run("tiering", build)
