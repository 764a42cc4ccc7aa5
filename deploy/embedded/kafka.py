"""The embedded Apache Kafka: one KRaft node, broker and controller in one Java process.

Every client authenticates by SASL/SCRAM, and the authoriser denies what no access rule allows. The
controller's listener cannot use SCRAM, because the credentials live in the very metadata it serves: it takes
one PLAIN user.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.embedded import packages
from deploy.embedded.access import Notice
from deploy.embedded.paths import RUNTIME
from deploy.embedded.processes import EngineError, ProcessId, end, log_tail, spawn, wait_until
from deploy.embedded.terminal import say
from shared.contracts.topics import DEAD_LETTER_BYTES

VERSION: Final = "4.3.1"
ADMIN: Final = "admin"
MECHANISM: Final = "SCRAM-SHA-512"
JARS: Final = RUNTIME / f"kafka-{VERSION}"
_HERE: Final = Path(__file__).resolve().parent / "kafka"

_BATCH_BYTES: Final = DEAD_LETTER_BYTES + 64 * 1024
"""The largest record is a dead letter of an oversized message; its batch has a header of its own."""


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two commands of one checkout never install at once: the second waits and then finds the work done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(notice: Notice = say) -> Path:
    """Fetch the broker's jars once, by Maven, and return their folder. It appears whole or not at all."""
    if JARS.is_dir():
        return JARS
    with _one_at_a_time(RUNTIME / "install.lock"):
        if JARS.is_dir():
            return JARS
        packages.java(notice)
        command = packages.maven(notice)
        notice(f"fetching Apache Kafka {VERSION} (44 MB, once)")
        with tempfile.TemporaryDirectory(prefix="kafka-", dir=RUNTIME) as scratch:
            done = subprocess.run(
                [
                    command, "-q", "-B", "-f", str(_HERE / "pom.xml"), "dependency:copy-dependencies",
                    "-DincludeScope=runtime", f"-DoutputDirectory={scratch}/jars",
                ],
                capture_output=True,
                text=True,
                check=False,
            )  # fmt: skip
            if done.returncode != 0:
                tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
                raise EngineError(f"Kafka's jars could not be fetched by Maven:\n{tail}")
            Path(scratch, "jars").rename(JARS)
    return JARS


@dataclass(slots=True)
class Kafka:
    """One broker and its data folder. `password` is the superuser's."""

    folder: Path
    logs: Path
    port: int
    controller_port: int
    password: str
    host: str = "127.0.0.1"
    heap_mb: int = 512
    quick_start: bool = field(default_factory=lambda: os.environ.get("KEYPOST_KAFKA_QUICK_START", "1") != "0")
    """Only the quick compiler: ready sooner, slower at full load. Benchmarks switch it off."""
    notice: Notice = say
    environment: dict[str, str] = field(default_factory=dict)
    process: ProcessId | None = None
    child: subprocess.Popen[bytes] | None = None
    _admin: AdminClient | None = None

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def output(self) -> Path:
        return self.logs / "kafka.out"

    def client(self, user: str, password: str) -> dict[str, Any]:
        """librdkafka properties of a client of this broker."""
        return client_properties(self.bootstrap, user, password)

    def admin(self) -> AdminClient:
        """The superuser's client. One for all calls: its background thread is not to be started and ended at
        each.
        """
        if self._admin is None:
            self._admin = AdminClient({**self.client(ADMIN, self.password), **_QUIET})
        return self._admin

    def format(self) -> None:
        """Write the settings, and on first use prepare the data folder with the superuser's credentials."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        _write_private(self.properties, self._settings())
        ready = self.folder / "keypost.ready"
        if ready.exists():
            return
        # What a first start left half done when it was cut off holds nothing yet.
        shutil.rmtree(self.folder / "log", ignore_errors=True)
        # The arguments go through a file, because everybody may read the arguments of a running process.
        arguments = self.folder / "format.arguments"
        _write_private(
            arguments,
            f"--config\n{self.properties}\n--cluster-id\n{_cluster_id()}\n--ignore-formatted\n"
            f"--add-scram\n{MECHANISM}=[name={ADMIN},password={self.password}]\n",
        )
        try:
            done = subprocess.run(
                [*self._java(), "kafka.tools.StorageTool", "format", f"@{arguments}"],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env={**os.environ, **self.environment},
            )
        finally:
            arguments.unlink()
        if done.returncode != 0:
            # What the tool prints on success holds the salted keys; what it prints on failure does not.
            tail = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise EngineError(f"Kafka's data folder {self.folder} could not be prepared:\n{tail}")
        ready.touch()

    def start(self, archive_to: Path | None = None) -> ProcessId:
        self.child = spawn(
            [*self._java(archive_to), "kafka.Kafka", str(self.properties)],
            log=self.output,
            cwd=self.folder,
            env={**os.environ, **self.environment},
        )
        self.process = ProcessId.of(self.child.pid)
        if self.process is None:
            raise EngineError(f"Kafka ended at once:\n{log_tail(self.output)}")
        return self.process

    def answers(self, timeout_s: float = 2.0) -> bool:
        """Whether the broker takes connections and serves its metadata to the superuser."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                pass
            return bool(self.admin().list_topics(timeout=timeout_s).brokers)
        except (OSError, KafkaException):
            return False

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        if not wait_until(lambda: self.answers(10.0), timeout_s, give_up=self.has_ended):
            why = "ended" if self.has_ended() else f"does not answer after {timeout_s:.0f} s"
            raise EngineError(f"Kafka {why}:\n{log_tail(self.logs / 'kafka.log') or log_tail(self.output)}")

    def has_ended(self) -> bool:
        if self.child is not None:
            self.child.poll()
        return self.process is None or not self.process.alive()

    def stop(self, grace_s: float = 10.0) -> None:
        if self.process is not None:
            end(self.process, grace_s=grace_s, reap=self.child)
        if self.child is not None:
            self.child.wait()

    def kill(self) -> None:
        """End it as a power cut of the process would, for tests."""
        if self.process is not None and self.process.alive():
            os.kill(self.process.pid, 9)
        if self.child is not None:
            self.child.wait()

    def _java(self, archive_to: Path | None = None) -> list[str]:
        options = [
            packages.java(self.notice), f"-Xms{self.heap_mb}m", f"-Xmx{self.heap_mb}m", "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError", "-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr",
            "-Djava.awt.headless=true", f"-Dkeypost.logs={self.logs}",
            f"-Dlog4j2.configurationFile={(_HERE / 'log4j2.xml').as_uri()}",
        ]  # fmt: skip
        if self.quick_start:
            options.append("-XX:TieredStopAtLevel=1")
        archive = class_archive()
        if archive_to is not None:
            options.append(f"-XX:ArchiveClassesAtExit={archive_to}")
        elif archive.exists():
            options.append(f"-XX:SharedArchiveFile={archive}")
        # The jars are named one by one, in order: the class archive is only valid for the very same class
        # path.
        return [*options, "-cp", ":".join(str(jar) for jar in sorted(JARS.glob("*.jar")))]

    def _settings(self) -> str:
        clients = f'{ADMIN}" password="{self.password}"'
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{self.host}:{self.controller_port}",
            "listeners": f"CLIENT://{self.host}:{self.port},CONTROLLER://{self.host}:{self.controller_port}",
            "advertised.listeners": f"CLIENT://{self.host}:{self.port}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "controller.listener.names": "CONTROLLER",
            "sasl.enabled.mechanisms": MECHANISM,
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.client.scram-sha-512.sasl.jaas.config": (
                f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{clients};'
            ),
            "listener.name.controller.plain.sasl.jaas.config": (
                f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{clients} '
                f'user_{ADMIN}="{self.password}";'
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN}",
            "log.dirs": str(self.folder / "log"),
            "auto.create.topics.enable": "false",
            "num.partitions": "6",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "6",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "6",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A killed broker may register again only when the session of its former self is over.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "message.max.bytes": str(_BATCH_BYTES),
            "replica.fetch.max.bytes": str(_BATCH_BYTES),
            "socket.request.max.bytes": str(100 * 1024 * 1024),
            "unclean.leader.election.enable": "false",
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())


_QUIET: Final[dict[str, Any]] = {
    "log_level": 0,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,
}
"""For clients that ask again and again whether a broker is up: the waiting is expected and not worth a line.
"""


def client_properties(bootstrap: str, user: str, password: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": MECHANISM,
        "sasl.username": user,
        "sasl.password": password,
    }


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _cluster_id() -> str:
    """Kafka takes 16 bytes in URL-safe base 64; one that begins with a dash reads as an option."""
    return "k" + secrets.token_urlsafe(16)[1:]


def class_archive() -> Path:
    """Where the class archive for this Java and these jars lies, whether it has been made or not."""
    java = packages.java(say)
    jars = sorted(JARS.glob("*.jar"))
    parts = [os.path.realpath(java), str(Path(java).stat().st_mtime_ns), str(JARS)]
    parts += [f"{jar.name}:{jar.stat().st_mtime_ns}" for jar in jars]
    return RUNTIME / f"kafka-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}.jsa"


def make_class_archive(notice: Notice = say) -> None:
    """Let a broker run once and keep its loaded classes: every later start takes half the time.

    It is an economy and no more, so whatever goes wrong here is passed over.
    """
    install(notice)
    archive = class_archive()
    if archive.exists():
        return
    with _one_at_a_time(RUNTIME / "install.lock"):
        if archive.exists():
            return
        with tempfile.TemporaryDirectory(prefix="archive-", dir=RUNTIME) as scratch:
            ports = free_ports(2)
            broker = Kafka(
                folder=Path(scratch, "kafka"),
                logs=Path(scratch, "logs"),
                port=ports[0],
                controller_port=ports[1],
                password=secrets.token_hex(16),
                notice=notice,
            )
            made = Path(scratch, "classes.jsa")
            try:
                broker.format()
                broker.start(archive_to=made)
                broker.wait_ready()
                broker.stop(grace_s=60)
                shutil.move(made, archive)
            except (EngineError, OSError) as problem:
                notice(f"no class archive for Kafka, it starts a little slower: {problem}")
            finally:
                broker.stop()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody holds now. They are held together while they are chosen, so they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((host, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
