"""What a service is made of: the platform it stands on and the parts that its `main.py` puts together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import health
from shared.clock import Clock, clock_from
from shared.db import create_engine, plain_dsn
from shared.messaging import faults
from shared.messaging.batches import BatchHandler
from shared.messaging.consumer import BatchConsumer
from shared.messaging.kafka import KafkaAccess
from shared.messaging.relay import Relay
from shared.messaging.timers import TimerHandler, TimerLoop
from shared.messaging.unit_of_work import UnitOfWork
from shared.settings import ServiceSettings


@dataclass(frozen=True)
class Platform:
    """What every service stands on, made from its settings: engines, clock, transactions, Kafka."""

    name: str
    settings: ServiceSettings
    clock: Clock
    writer: AsyncEngine
    """As `<svc>_writer`: consumers, timers and commands, by way of `unit_of_work`."""
    reader: AsyncEngine
    """As `<svc>_reader`, under row-level security: every read of the HTTP interface."""
    unit_of_work: UnitOfWork
    kafka: KafkaAccess

    @classmethod
    def of(cls, name: str, settings: ServiceSettings) -> Platform:
        clock = clock_from(None if settings.sandbox_clock is None else str(settings.sandbox_clock))
        writer = create_engine(settings.database_url.get_secret_value(), f"{name}.writer")
        reader = create_engine(settings.reader_database_url.get_secret_value(), f"{name}.reader")
        unit_of_work = UnitOfWork(writer, clock, name)
        return cls(name, settings, clock, writer, reader, unit_of_work, KafkaAccess.of(settings))

    def consumer(
        self,
        name: str,
        topics: Sequence[str],
        handler: BatchHandler,
        *,
        max_records: int = 500,
        **options: Any,
    ) -> BatchConsumer:
        """A consumer of this service; its group is `<service>.<name>`."""
        return BatchConsumer(
            self.name,
            self.kafka,
            name=name,
            topics=tuple(topics),
            handler=handler,
            unit_of_work=self.unit_of_work,
            instance=self.settings.instance,
            max_records=max_records,
            unpacked_bytes=self.settings.unpacked_bytes,
            **options,
        )


@dataclass
class Service:
    """A service's parts, put together in its `main.py`. What it does not need is left out."""

    platform: Platform
    title: str
    version: str = "0.1.0"
    consumers: Sequence[BatchConsumer] = ()
    timers: Mapping[str, TimerHandler] = field(default_factory=dict)
    routers: Sequence[APIRouter] = ()
    readiness: Mapping[str, health.ReadinessCheck] = field(default_factory=dict)
    """Further conditions of being ready, such as state that is still being rebuilt."""
    work_pending: Callable[[], Awaitable[int]] | None = None
    """Work that is neither in a topic, an outbox nor a timer: closes running, held items that have become ready."""
    background: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """Endless tasks by name; one that ends with an error is logged and started again."""
    on_start: Sequence[Callable[[], Awaitable[None]]] = ()
    """Awaited in turn before consumers and timers start (loading state); tried again until it succeeds."""
    state: Mapping[str, object] = field(default_factory=dict)
    """What its routes reach by dependencies: set on `app.state` by name."""
    prepare_app: Callable[[FastAPI], None] | None = None
    """A last hand on the application: middleware, mounted console, exception handlers of its own."""
    with_relay: bool = True

    failing: dict[str, str] = field(init=False, default_factory=dict)
    """The background tasks that have ended with an error of late, and it."""
    relay: Relay | None = field(init=False, default=None)
    timer_loop: TimerLoop | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        platform = self.platform
        if self.with_relay:
            dsn = plain_dsn(platform.settings.database_url.get_secret_value())
            self.relay = Relay(platform.name, dsn, platform.kafka)
        if self.timers:
            jumps = platform.settings.mode == "sandbox"
            self.timer_loop = TimerLoop(platform.unit_of_work, self.timers, clock_jumps=jumps)

    def checks(self) -> dict[str, health.ReadinessCheck]:
        """Everything that `/health/ready` asks."""
        checks: dict[str, health.ReadinessCheck] = {"database": self._database}
        for consumer in self.consumers:
            checks[f"consumer {consumer.name}"] = _of(consumer.healthy)
        if self.relay is not None:
            checks["relay"] = _of(self.relay.healthy)
        if self.timer_loop is not None:
            checks["timers"] = _of(self.timer_loop.healthy)
        for task in self.background:
            checks[f"background {task}"] = _of(partial(self.failing.get, task))
        return {**checks, **self.readiness}

    async def warnings(self) -> dict[str, str]:
        """What a person has to look at although the service does its work."""
        async with self.platform.writer.connect() as connection:
            found = await faults.counts(connection)
        return {f"faults of {task}": f"{number} given up" for task, number in found.items()}

    async def _database(self) -> str | None:
        async with self.platform.writer.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return None


def _of(healthy: Callable[[], str | None]) -> health.ReadinessCheck:
    async def check() -> str | None:
        return healthy()

    return check
