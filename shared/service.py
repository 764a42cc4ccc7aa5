"""The skeleton of every service: from settings and parts to one process that serves, consumes, fires and relays."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import failpoints, health, logging, migrating
from shared.clock import Clock, clock_from
from shared.db import create_engine, plain_dsn
from shared.messaging import faults
from shared.messaging.batches import BatchHandler
from shared.messaging.consumer import BatchConsumer
from shared.messaging.failures import Backoff, classify, describe
from shared.messaging.kafka import KafkaAccess
from shared.messaging.metrics import FAILURES
from shared.messaging.relay import Relay
from shared.messaging.timers import TimerHandler, TimerLoop
from shared.messaging.unit_of_work import UnitOfWork
from shared.settings import ServiceSettings

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS: Final = 30.0
STUCK_SECONDS: Final = 180.0
"""A consumer that has work, waits for nothing and has not moved for so long is stuck."""


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


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: one place decides in which order everything ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(service: Service, app: FastAPI) -> None:
    """Run until SIGTERM or SIGINT, then end in order: no new work, work in hand, relay, HTTP, connections."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = service.platform.settings
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.http_host,
            port=settings.http_port,
            log_config=None,
            lifespan="off",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    http = asyncio.create_task(server.serve())
    http.add_done_callback(lambda _: stop.set())
    watch = health.LoopWatch()
    watch.start()
    try:
        async with _running(service, stop):
            await stop.wait()
            log.info("stopping")
    finally:
        server.should_exit = True
        watch.stop()
        with contextlib.suppress(SystemExit):
            # uvicorn leaves by SystemExit where its port is taken; the error has been logged by it.
            await http
        await service.platform.writer.dispose()
        await service.platform.reader.dispose()
    if http.done() and not http.cancelled() and not server.started:
        raise SystemExit(1)
    log.info("stopped")


@contextlib.asynccontextmanager
async def _running(service: Service, stop: asyncio.Event) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_keep(name, run, service.failing)) for name, run in service.background.items()
    ]
    started: list[BatchConsumer] = []
    relay = None if service.relay is None else asyncio.create_task(service.relay.run())
    timers: asyncio.Task[None] | None = None
    try:
        first: Callable[[], Awaitable[None]] = partial(faults.retry_all, service.platform.unit_of_work)
        for prepare in (first, *service.on_start):
            if not await _until_done(prepare, stop):
                break
        if not stop.is_set():
            for consumer in service.consumers:
                await consumer.start()
                started.append(consumer)
            if service.timer_loop is not None:
                timers = asyncio.create_task(service.timer_loop.run())
            tasks.append(asyncio.create_task(_watch_progress(service.consumers)))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(consumer.stop() for consumer in started), return_exceptions=True)
        if service.timer_loop is not None and timers is not None:
            service.timer_loop.stop()
            await timers
        # The relay ends last, so that what the others have just committed still has a chance to go out.
        if service.relay is not None and relay is not None:
            service.relay.stop()
            await relay


async def _keep(name: str, run: Callable[[], Awaitable[None]], failing: dict[str, str]) -> None:
    """Run an endless task again and again. From an error on the service is not ready, until the task has gone on for
    longer than it is made to wait at most."""
    backoff = Backoff(0.5, LONGEST_WAIT_SECONDS)
    loop = asyncio.get_running_loop()
    while True:
        well = loop.call_later(LONGEST_WAIT_SECONDS, _is_well, name, failing, backoff)
        try:
            await run()
            failing.pop(name, None)
            return
        except Exception as error:
            failing[name] = f"starting again: {describe(error)}"
            FAILURES.labels(name, classify(error).value).inc()
            log.error("a background task failed and is started again", task=name, error=describe(error))
        finally:
            well.cancel()
        await asyncio.sleep(backoff.next())


def _is_well(name: str, failing: dict[str, str], backoff: Backoff) -> None:
    failing.pop(name, None)
    backoff.reset()


async def _until_done(prepare: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
    backoff = Backoff()
    while not stop.is_set():
        try:
            await prepare()
            return True
        except Exception as error:
            log.warning("the start waits", error=describe(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), backoff.next())
    return False


async def _watch_progress(consumers: Sequence[BatchConsumer]) -> None:
    """The client library has states from which it does not come back (a lost rejoin after a broker's restart): a
    consumer that has work, waits for nothing and does not move ends the process, and the supervisor starts it."""
    while True:
        await asyncio.sleep(15)
        for consumer in consumers:
            if await consumer.stuck_seconds() > STUCK_SECONDS:
                health.give_up(f"consumer {consumer.name} has not moved for {STUCK_SECONDS:.0f} s")


def run(
    name: str, build: Callable[[Platform], Service], settings: type[ServiceSettings] = ServiceSettings
) -> None:
    """The entry of `python -m services.<name> [serve|migrate|openapi]`."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}")
    parser.add_argument("command", nargs="?", choices=("serve", "migrate", "openapi"), default="serve")
    command = parser.parse_args().command
    if command == "openapi":
        sys.stdout.write(openapi(name, build, settings))
        return
    configured = settings()
    logging.configure(name, configured.log_level)
    failpoints.arm_from(configured.failpoints, configured.failpoints_file)
    if command == "migrate":
        if configured.owner_database_url is None:
            log.error("KEYPOST_OWNER_DATABASE_URL is needed to migrate")
            sys.exit(2)
        asyncio.run(migrating.upgrade(name, configured.owner_database_url.get_secret_value()))
        return
    asyncio.run(_serve(name, build, configured))


def openapi(name: str, build: Callable[[Platform], Service], settings: type[ServiceSettings]) -> str:
    """The service's OpenAPI description as JSON. Nothing is started or connected, so any settings do."""
    from shared.web import create_app

    nowhere = "postgresql+asyncpg://nobody@localhost/nowhere"
    configured = settings(
        http_port=1,
        database_url=SecretStr(nowhere),
        reader_database_url=SecretStr(nowhere),
        kafka_bootstrap="localhost:1",
        kafka_security="PLAINTEXT",
    )
    description = create_app(build(Platform.of(name, configured))).openapi()
    return json.dumps(description, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def spare_the_collector() -> None:
    """Have the cycle collector look at what may be garbage, and seldom at what surely is none.

    With its defaults a batch of thousands of records sets it off hundreds of times, and every few batches it walks
    through all that the process remembers: a third of the time of a booking. What has been loaded by now lives for
    ever; from here on it runs when 50 000 more objects were made than freed, which is when cycles pile up.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _serve(name: str, build: Callable[[Platform], Service], settings: ServiceSettings) -> None:
    from shared.web import create_app

    service = build(Platform.of(name, settings))
    spare_the_collector()
    await serve(service, create_app(service))
