"""The life of a service's process: it serves, consumes, fires and relays from its start until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from shared import failpoints, health, logging, migrating
from shared.messaging import faults
from shared.messaging.consumer import BatchConsumer
from shared.messaging.failures import Backoff, classify, describe
from shared.messaging.metrics import FAILURES
from shared.service import Platform, Service
from shared.settings import ServiceSettings
from shared.web import create_app

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS: Final = 30.0
STUCK_SECONDS: Final = 180.0
"""A consumer that has work, waits for nothing and has not moved for so long is stuck."""


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
    service = build(Platform.of(name, settings))
    spare_the_collector()
    await serve(service, create_app(service))
