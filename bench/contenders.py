"""Everything that is compared: the product's own service and its peers, each started as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import asyncpg

from bench.engines import Engines
from bench.measuring import Costs, Meter
from bench.verifying import differences, read_changes, read_streams_totals
from bench.workload import Expected, Workload
from deploy.embedded import packages
from deploy.embedded.kafka import ADMIN, MECHANISM, free_ports
from deploy.embedded.paths import ROOT
from deploy.embedded.postgres import SUPERUSER
from deploy.embedded.terminal import say
from shared.clock import SystemClock
from shared.contracts.topics import COUNTER_TRANSACTIONS, RECEIPTS, SUSPENSE, TIER_CHANGES, TIERS, relay_topic

OUTPUT_TOPICS: Final = (TIER_CHANGES, TIERS, SUSPENSE, RECEIPTS, relay_topic("tiering"))
STREAMS_OUT: Final = "bench.kafka-streams.tier-changes"
PER_MESSAGE_OUT: Final = "bench.per-message.tier-changes"
PEERS: Final = Path(__file__).parent / "peers"
LONGEST_S: Final = 1800.0
"""No run takes longer; one that does has failed."""


class BenchError(Exception):
    """A run that proves nothing: something ended, stood still or counted wrongly."""


@dataclass
class Outcome:
    """One run over a backlog. `seconds` from the first record processed to the last effect; `second_half_per_s` leaves out
    how it warmed up."""

    contender: str
    events: int
    seconds: float
    second_half_per_s: float
    costs: Costs
    faults: list[str] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return self.events / self.seconds


def now_s() -> float:
    return SystemClock().now().timestamp()


@contextmanager
def process(
    argv: list[str], environment: Mapping[str, str], log: Path, *, piped: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with the block, by its own pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    base = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("a") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else output,
            stderr=output,
            env={**base, **environment},
            cwd=ROOT,
            text=True,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


# --- The product ------------------------------------------------------------------------------------------------------


class Product:
    """`python -m services.tiering` as it is delivered, with its defaults."""

    name = "keypost"
    out = TIER_CHANGES

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._template = ""

    def learn(self, workload: Workload) -> float:
        """Have a service learn the customers from their topic, once; every run begins with a copy of its database.
        Returns how many it learned a second."""
        engines = self._engines
        self._template = engines.new_database("learned")
        owner = engines.dsn("tiering_owner", self._template, "postgresql+asyncpg")
        subprocess.run(
            [sys.executable, "-m", "services.tiering", "migrate"],
            check=True,
            cwd=ROOT,
            env={
                **os.environ,
                **engines.service_environment(self._template, 1),
                "KEYPOST_OWNER_DATABASE_URL": owner,
            },
        )
        with self.serving(self._template):
            return asyncio.run(self._wait_learned(workload.customers))

    async def _wait_learned(self, customers: int) -> float:
        connection = await self._connect(self._template)
        deadline = time.monotonic() + LONGEST_S
        while await connection.fetchval("SELECT count(*) FROM accounts") < customers:
            if time.monotonic() > deadline:
                raise BenchError("the customers were not learned in time")
            await asyncio.sleep(0.2)
        # An account bears the instant at which its batch began, so the last batch is not in the time and not counted.
        rate: float = await connection.fetchval(
            "SELECT count(*) FILTER (WHERE updated_at < last) / nullif(extract(epoch FROM last - first), 0)::float "
            "FROM accounts, (SELECT min(updated_at) AS first, max(updated_at) AS last FROM accounts) AS ends "
            "GROUP BY first, last"
        )
        await connection.close()
        return rate or 0.0

    @contextmanager
    def serving(self, database: str) -> Iterator[subprocess.Popen[str]]:
        """The service, ready."""
        port = free_ports(1)[0]
        environment = self._engines.service_environment(database, port)
        log = self._engines.folder / "logs" / "tiering.log"
        with process([sys.executable, "-m", "services.tiering"], environment, log) as child:
            deadline = time.monotonic() + 120
            while not _answers(f"http://127.0.0.1:{port}/health/ready"):
                if child.poll() is not None or time.monotonic() > deadline:
                    raise BenchError(f"tiering did not become ready:\n{log.read_text()[-3000:]}")
                time.sleep(0.05)
            yield child

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """A database in which the customers are known and nothing is booked."""
        database = self._engines.new_database("tiering", self._template)
        self._engines.empty_topics(OUTPUT_TOPICS)
        try:
            yield database
        finally:
            self._engines.drop_database(database)

    @contextmanager
    def running(self) -> Iterator[None]:
        """For latency: ready, with nothing to do."""
        with self.fresh() as database, self.serving(database):
            yield

    def drain(self, workload: Workload, expected: Expected) -> Outcome:
        """Book the backlog and publish what it led to."""
        with self.fresh() as database:
            port = free_ports(1)[0]
            environment = self._engines.service_environment(database, port)
            log = self._engines.folder / "logs" / "tiering.log"
            with process([sys.executable, "-m", "services.tiering"], environment, log) as child:
                return asyncio.run(self._drained(child, database, workload, expected))

    async def _drained(
        self, child: subprocess.Popen[str], database: str, workload: Workload, expected: Expected
    ) -> Outcome:
        connection = await self._connect(database)
        progress: list[tuple[float, int]] = []
        meter = Meter(self._engines, child.pid)
        deadline = time.monotonic() + LONGEST_S
        while True:
            done = await connection.fetchval(
                "SELECT coalesce(sum(next_offset), 0)::bigint FROM positions "
                "WHERE consumer = 'tiering.transactions' AND topic = $1",
                COUNTER_TRANSACTIONS,
            )
            if done:
                progress.append((now_s(), done))
                meter.look(done)
            if done >= workload.events and not await connection.fetchval("SELECT count(*) FROM outbox"):
                break
            if child.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"tiering ended or was not done in time: {done} of {workload.events}")
            await asyncio.sleep(0.1)
        ended = now_s()
        costs = meter.costs(workload.events)
        # Every booking bears the instant at which its batch began.
        started = (await connection.fetchval("SELECT booked_at FROM ledger WHERE seq = 1")).timestamp()
        faults = await self._faults(connection, workload, expected)
        await connection.close()
        return Outcome(
            self.name, workload.events, ended - started, second_half(progress, ended), costs, faults
        )

    async def _faults(
        self, connection: asyncpg.Connection, workload: Workload, expected: Expected
    ) -> list[str]:
        booked = await connection.fetchval("SELECT count(*) FROM ledger")
        rows = await connection.fetch(
            "SELECT a.code, t.line, sum(t.amount_fen)::bigint FROM month_totals t "
            "JOIN accounts a ON a.number = t.account WHERE t.month / 100 = $1 GROUP BY 1, 2",
            workload.year,
        )
        totals = {(row[0], row[1]): row[2] for row in rows}
        faults = differences(workload, expected, totals, read_changes(self._engines, self.out))
        if booked != expected.booked:
            faults.append(f"{booked} transactions are booked instead of {expected.booked}")
        return faults

    async def _connect(self, database: str) -> asyncpg.Connection:
        return await asyncpg.connect(self._engines.dsn(SUPERUSER, database))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def second_half(progress: list[tuple[float, int]], ended: float) -> float:
    """Events a second after half of them were done."""
    total = progress[-1][1]
    at, done = next(point for point in progress if point[1] >= total / 2)
    return (total - done) / (ended - at) if ended > at else float("nan")


# --- Kafka Streams ----------------------------------------------------------------------------------------------------


def build_streams() -> str:
    """Compile the peer where it has not been; returns its class path."""
    project = PEERS / "kafka-streams"
    libs = project / "target" / "libs"
    jar = libs / "bench-kafka-streams-1.jar"
    newest = max(path.stat().st_mtime for path in (project / "pom.xml", *project.glob("src/**/*.java")))
    if not jar.exists() or jar.stat().st_mtime < newest:
        done = subprocess.run(
            [packages.maven(say), "-q", "-B", "-f", str(project / "pom.xml"), "package"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchError(
                f"the peer in Kafka Streams was not built (a JDK is needed):\n{done.stdout[-2000:]}"
            )
    return f"{libs}/*"


class Lines:
    """What a process says, line by line, with a deadline."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        with contextlib.suppress(ValueError):
            for line in stream:
                self._lines.put(line.strip())
        self._lines.put(None)

    def next(self, seconds: float) -> list[str]:
        """The words of the next line."""
        try:
            line = self._lines.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise BenchError("a peer was not done in time") from None
        if line is None:
            raise BenchError("a peer ended before it was done")
        return line.split()


@dataclass
class KafkaStreams:
    """Kafka Streams, exactly_once_v2 on RocksDB, tuned."""

    engines: Engines
    threads: int = 2
    backlog_commit_ms: int = 1000
    latency_commit_ms: int = 100
    max_poll: int = 5000
    compression: str = "lz4"
    heap: str = "1g"
    name = "Kafka Streams"
    out = STREAMS_OUT

    @contextmanager
    def _process(self, count: int, commit_ms: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
        engines = self.engines
        engines.empty_topics([STREAMS_OUT])
        application = f"bench-{secrets.token_hex(4)}"
        folder = engines.folder / application
        folder.mkdir()
        properties = {
            "application.id": application,
            "bootstrap.servers": engines.kafka.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": MECHANISM,
            "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="{ADMIN}" password="{engines.kafka_passwords[ADMIN]}";',
            "replication.factor": "1",
            "consumer.auto.offset.reset": "earliest",
            "consumer.max.poll.records": str(self.max_poll),
            "producer.compression.type": self.compression,
        }
        settings = folder / "client.properties"
        settings.touch(mode=0o600)
        settings.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        command = [
            packages.java(say), f"-Xms{self.heap}", f"-Xmx{self.heap}", "-cp", build_streams(), "keypost.bench.Tiering",
            str(settings), COUNTER_TRANSACTIONS, STREAMS_OUT, str(count), str(folder / "state"), str(self.threads),
            str(commit_ms),
        ]  # fmt: skip
        try:
            with process(command, {}, engines.folder / "logs" / "streams.log", piped=True) as child:
                yield child, application
        finally:
            names = [
                name for name in engines.admin.list_topics(timeout=30).topics if name.startswith(application)
            ]
            for future in engines.admin.delete_topics(names).values() if names else ():
                future.result(60)

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._process(0, self.latency_commit_ms) as (child, _):
            assert child.stdout is not None
            assert Lines(child.stdout).next(120) == ["RUNNING"]
            yield

    def drain(self, workload: Workload, expected: Expected) -> Outcome:
        with self._process(workload.events, self.backlog_commit_ms) as (child, application):
            assert child.stdout is not None
            lines = Lines(child.stdout)
            meter = Meter(self.engines, child.pid)
            progress: list[tuple[float, int]] = []
            deadline = time.monotonic() + LONGEST_S
            started = ended = 0.0
            while not ended:
                match lines.next(deadline - time.monotonic()):
                    case ["FIRST", ms]:
                        started = int(ms) / 1000
                    case ["AT", ms, done]:
                        progress.append((int(ms) / 1000, int(done)))
                        meter.look(int(done))
                    case ["DONE", ms, done]:
                        ended = int(ms) / 1000
                        progress.append((ended, int(done)))
                    case _:
                        pass
            costs = meter.costs(workload.events)
            totals = read_streams_totals(self.engines, f"{application}-totals-changelog", workload.year)
            faults = differences(workload, expected, totals, read_changes(self.engines, self.out))
            return Outcome(
                self.name, workload.events, ended - started, second_half(progress, ended), costs, faults
            )


# --- One message a call -----------------------------------------------------------------------------------------------


@dataclass
class PerMessage:
    """FastStream and SQLAlchemy, one message a call; runs for a while, not to the end."""

    engines: Engines
    seconds: float = 20.0
    name = "FastStream + SQLAlchemy, one message a call"

    def sample(self) -> Outcome:
        """How far it gets in its time."""
        database = self.engines.new_database("per_message")
        self.engines.empty_topics([PER_MESSAGE_OUT])
        environment = {
            "PYTHONPATH": str(ROOT),
            "BENCH_DATABASE": self.engines.dsn(SUPERUSER, database, "postgresql+asyncpg"),
            "BENCH_BOOTSTRAP": self.engines.kafka.bootstrap,
            "BENCH_PASSWORD": self.engines.kafka_passwords[ADMIN],
            "BENCH_IN": COUNTER_TRANSACTIONS,
            "BENCH_OUT": PER_MESSAGE_OUT,
            "BENCH_SECONDS": str(self.seconds),
        }
        log = self.engines.folder / "logs" / "per_message.log"
        command = [sys.executable, str(PEERS / "per_message.py")]
        try:
            with process(command, environment, log, piped=True) as child:
                assert child.stdout is not None
                lines = Lines(child.stdout)
                meter = Meter(self.engines, child.pid)
                while True:
                    match lines.next(self.seconds + 120):
                        case ["AT", done]:
                            meter.look(int(done))
                        case ["DONE", done, seconds]:
                            rate = int(done) / float(seconds)
                            return Outcome(self.name, int(done), float(seconds), rate, meter.costs(int(done)))
                        case _:
                            pass
        finally:
            self.engines.drop_database(database)
