"""The process behind `keypost up`: it starts everything, restarts what dies and stops everything.

It may be killed itself at any time. Its children live on, and the next `up` takes them over: each process is
known by its pid together with the time it started, and by a mark in its environment where the note of it was
lost.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

from deploy.embedded import kafka as kafka_engine
from deploy.embedded import postgres as postgres_engine
from deploy.embedded import provision
from deploy.embedded.children import (
    FIRST_BACKOFF_S,
    LONGEST_BACKOFF_S,
    STEADY_S,
    Child,
    exit_text,
    last_words,
    stop_together,
)
from deploy.embedded.instance import (
    HOST,
    LAST,
    Instance,
    Setup,
    chosen_setup,
    service_names,
    write_atomically,
)
from deploy.embedded.kafka import ADMIN, Kafka
from deploy.embedded.paths import ROOT
from deploy.embedded.ports import holder_text, http_ok, port_is_free
from deploy.embedded.postgres import SUPERUSER, VERIFIER, Postgres
from deploy.embedded.processes import EngineError, ProcessId, bound_log, end, spawn, wait_until
from deploy.embedded.stopping import end_engine_or_service
from deploy.embedded.terminal import say
from shared.clock import SandboxClock, SystemClock
from shared.contracts.counter_systems import VARIABLE
from shared.contracts.topics import SERVICES

READY: Final = "READY"
_TICK_S: Final = 0.1
_ANSWER_S: Final = 60.0
"""How long a process found running may take to answer before it is replaced."""


def now_text() -> str:
    return SystemClock().now().isoformat(timespec="milliseconds")


@dataclass(slots=True)
class Supervisor:
    instance: Instance
    setup: Setup
    clock_start: datetime | None = None
    children: dict[str, Child] = field(default_factory=dict)
    migrated: set[str] = field(default_factory=set)
    migrations: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stopping: bool = False
    announced: bool = False
    engines_ready: bool = False
    kafka: Kafka = field(init=False)
    postgres: Postgres = field(init=False)
    passwords: dict[str, dict[str, str]] = field(init=False)

    # The whole life

    def run(self, on_ready: Callable[[], None]) -> None:
        """Bring everything up and keep it up until a signal says stop. The caller holds the instance's lock."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop_asked)
        # A strict umask of the caller would close PostgreSQL's and the jars' folders; secrets set their own
        # modes.
        os.umask(0o022)
        try:
            self._prepare()
            self._adopt()
            self._check_ports()
            # Only now: an instance that cannot start changes neither its settings nor what other commands act
            # on.
            self.instance.keep_setup(self.setup)
            remember_last(self.instance)
            while not self.stopping:
                self._tick()
                if not self.announced and self._all_ready():
                    self.announced = True
                    self.note()
                    on_ready()
                time.sleep(_TICK_S)
        finally:
            self._stop_all()

    def _stop_asked(self, number: int, _frame: FrameType | None) -> None:
        if not self.stopping:
            say(f"stopping ({signal.Signals(number).name})")
        self.stopping = True

    def _prepare(self) -> None:
        kafka_engine.install()
        kafka_engine.make_class_archive()
        self.passwords = self.instance.passwords(make=True)
        write_atomically(
            self.instance.secrets / "pgpass",
            f"{HOST}:{self.setup.postgres_port}:*:{VERIFIER}:{self.passwords['postgres'][VERIFIER]}\n",
            mode=0o600,
        )
        ensure_issuer(self.instance)
        if self.setup.mode == "sandbox":
            SandboxClock.create(self.instance.clock_file, self.clock_start or SystemClock().now()).close()
        logs = self.instance.logs
        self.kafka = Kafka(
            folder=self.instance.data / "kafka",
            logs=logs,
            port=self.setup.kafka_port,
            controller_port=self.setup.controller_port,
            password=self.passwords["kafka"][ADMIN],
            environment=dict([self.instance.mark("kafka")]),
        )
        self.postgres = Postgres(
            folder=self.instance.data / "postgres",
            logs=logs,
            port=self.setup.postgres_port,
            password=self.passwords["postgres"][SUPERUSER],
            environment=dict([self.instance.mark("initdb")]),
        )
        self.children["kafka"] = Child(
            "kafka", self.kafka.output, self.setup.kafka_port, "kafka_port",
            begin=self._begin_kafka, answers=self.kafka.answers,
            fingerprint=fingerprint(self.setup.kafka_port, self.setup.controller_port),
        )  # fmt: skip
        self.children["postgres"] = Child(
            "postgres", self.postgres.output, self.setup.postgres_port, "postgres_port",
            begin=self._begin_postgres, answers=self.postgres.answers,
            fingerprint=fingerprint(self.setup.postgres_port),
        )  # fmt: skip
        for service in service_names():
            self.children[service] = self._service(service)
        if not service_names():
            say("this checkout contains no service yet: only the engines are started")

    def _service(self, service: str) -> Child:
        environment = self.service_environment(service)
        port = self.setup.service_port(service)
        return Child(
            service, self.instance.logs / f"{service}.log", port, f"{service}_port",
            begin=lambda: self._begin_service(service),
            answers=lambda: http_ok(f"http://{HOST}:{port}/health/ready"),
            fingerprint=fingerprint(*sorted(environment.items())),
        )  # fmt: skip

    # Starting

    def _begin_kafka(self) -> subprocess.Popen[bytes]:
        self.kafka.format()
        self.kafka.start()
        assert self.kafka.child is not None  # noqa: S101 - set by the start just above
        return self.kafka.child

    def _begin_postgres(self) -> subprocess.Popen[bytes]:
        self.postgres.format()
        self.postgres.start()
        assert self.postgres.child is not None  # noqa: S101 - set by the start just above
        return self.postgres.child

    def _begin_service(self, service: str) -> subprocess.Popen[bytes] | None:
        """A service starts once its migrations have run in this life of the supervisor."""
        if not self.engines_ready:
            return None
        if service not in self.migrated:
            running = self.migrations.get(service)
            if running is None:
                self.migrations[service] = self._spawn_service(service, "migrate")
                return None
            code = running.poll()
            if code is None:
                return None
            del self.migrations[service]
            if code != 0:
                why = last_words(self.instance.logs / f"{service}-migrate.log")
                raise EngineError(f"its migrations failed (exit code {code}): {why}")
            self.migrated.add(service)
        return self._spawn_service(service)

    def _spawn_service(self, service: str, *arguments: str) -> subprocess.Popen[bytes]:
        name = "-".join((service, *arguments))
        environment = self.service_environment(service)
        if not arguments:
            del environment["KEYPOST_OWNER_DATABASE_URL"]
        return spawn(
            [sys.executable, "-m", f"services.{service}", *arguments],
            log=self.instance.logs / f"{name}.log",
            env={**environment, **dict([self.instance.mark(name)])},
            cwd=ROOT,
        )

    def service_environment(self, service: str) -> dict[str, str]:
        def url(part: str) -> str:
            role = f"{service}_{part}"
            return self.postgres.url(role, self.passwords["postgres"][role], service, "postgresql+asyncpg")

        environment = {
            name: os.environ[name]
            for name in (
                "PATH",
                "HOME",
                "LANG",
                "SSL_CERT_FILE",
                "KEYPOST_LOG_LEVEL",
                "KEYPOST_FAILPOINTS",
                VARIABLE,
            )
            if name in os.environ
        }
        environment |= {
            "PYTHONUNBUFFERED": "1",
            "KEYPOST_MODE": self.setup.mode,
            "KEYPOST_INSTANCE": "0",
            "KEYPOST_HTTP_HOST": HOST,
            "KEYPOST_HTTP_PORT": str(self.setup.service_port(service)),
            "KEYPOST_DATABASE_URL": url("writer"),
            "KEYPOST_READER_DATABASE_URL": url("reader"),
            "KEYPOST_OWNER_DATABASE_URL": url("owner"),
            "KEYPOST_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "KEYPOST_KAFKA_SECURITY": "SASL_PLAINTEXT",
            "KEYPOST_KAFKA_MECHANISM": kafka_engine.MECHANISM,
            "KEYPOST_KAFKA_USER": service,
            "KEYPOST_KAFKA_PASSWORD": self.passwords["kafka"][service],
            "KEYPOST_JWKS_FILE": str(self.instance.secrets / "jwks.json"),
            "KEYPOST_ISSUER": "keypost-development",
            "KEYPOST_AUDIENCE": "keypost",
            "KEYPOST_FAILPOINTS_FILE": str(self.instance.failpoints_file(service)),
        }
        if service == "reporting":
            # The console does what people ask of it at the services that own it.
            environment |= {
                f"KEYPOST_{other.upper()}_URL": f"http://{HOST}:{self.setup.service_port(other)}"
                for other in SERVICES
            }
        if self.setup.mode == "sandbox":
            environment["KEYPOST_SANDBOX_CLOCK"] = str(self.instance.clock_file)
        return environment

    # Taking over what a killed predecessor left

    def _adopt(self) -> None:
        notes = self.instance.state().get("processes", {})
        for half_done in self.instance.marked("initdb"):
            end(half_done)
        for child in self.children.values():
            note = notes.get(child.name) or {}
            noted = ProcessId.from_json(note)
            if child.name == "postgres":
                postmaster = self.instance.postmaster()
                running = [] if postmaster is None else [postmaster]
            else:
                running = self.instance.marked(child.name)
            if noted is not None and noted.alive() and noted not in running:
                running.append(noted)
            keep = noted if noted in running and note.get("fingerprint") == child.fingerprint else None
            for process in running:
                if process != keep:
                    say(f"ending {child.name} (pid {process.pid}), left over from an earlier start")
                    end_engine_or_service(child.name, process)
            for leftover in self.instance.marked(f"{child.name}-migrate"):
                end(leftover)
            if keep is not None:
                say(f"{child.name} still runs (pid {keep.pid}): taking it over")
                child.process = keep
                child.began = time.monotonic()
                child.restarts = int(note.get("restarts", 0))
        self.kafka.process = self.children["kafka"].process
        self.postgres.process = self.children["postgres"].process
        self.note()

    def _check_ports(self) -> None:
        """Say at once, and before anything starts, which port somebody else holds."""
        wanted = [
            (child.name, child.port, child.port_name)
            for child in self.children.values()
            if child.process is None
        ]
        if self.children["kafka"].process is None:
            wanted.append(("Kafka's controller", self.setup.controller_port, "controller_port"))
        # A predecessor's processes that were just ended may take a moment to let go of theirs.
        wait_until(lambda: all(port_is_free(port) for _name, port, _port_name in wanted), 1.0)
        taken = [
            f"port {port} is in use, and {name} needs it.{holder_text(port)}\n"
            f"Choose another: keypost up {Setup.option(port_name)} PORT (or KEYPOST_{port_name.upper()}=PORT)"
            for name, port, port_name in wanted
            if not port_is_free(port)
        ]
        if taken:
            raise EngineError("\n".join(taken))

    # One round

    def _tick(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            if self.stopping:
                return
            if child.running():
                self._look(child, now)
            elif now >= child.start_at:
                self._start(child, now)
        if not self.engines_ready and self.children["kafka"].ready and self.children["postgres"].ready:
            self._provision()
        if int(now) % 10 == 0:
            for log in self.instance.logs.glob("*.log"):
                if log.name != "kafka.log":
                    bound_log(log)
            bound_log(self.kafka.output)

    def _look(self, child: Child, now: float) -> None:
        if child.ready or now < child.next_look:
            return
        if child.answers():
            child.ready = True
            child.said = ""
            say(f"{child.name} is ready (pid {child.process.pid if child.process else 0})")
            self.note()
        else:
            child.next_look = now + 0.1
            if child.popen is None and now - child.began > _ANSWER_S and child.process is not None:
                say(
                    f"{child.name} (pid {child.process.pid}) was taken over and does not answer: replacing it"
                )
                end_engine_or_service(child.name, child.process)

    def _start(self, child: Child, now: float) -> None:
        if child.process is not None:
            if now - child.began > STEADY_S:
                child.backoff_s = FIRST_BACKOFF_S
            say(f"{child.name} (pid {child.process.pid}) has ended{exit_text(child)}: restarting it")
            if not child.ready:
                child.tell(f"{child.name} ended before it was ready: {last_words(child.log)}")
            child.restarts += 1
            child.process, child.popen, child.ready = None, None, False
            child.start_at = now + child.backoff_s
            child.backoff_s = min(child.backoff_s * 2, LONGEST_BACKOFF_S)
            self.note()
            return
        try:
            if not port_is_free(child.port):
                raise EngineError(
                    f"port {child.port} is in use, and {child.name} needs it.{holder_text(child.port)}"
                )
            popen = child.begin()
        except (EngineError, OSError) as problem:
            text = explain(problem)
            if not self.announced and not self.engines_ready:
                raise EngineError(text) from problem
            child.tell(f"{child.name} could not be started, trying again: {text}")
            child.start_at = now + child.backoff_s
            child.backoff_s = min(child.backoff_s * 2, LONGEST_BACKOFF_S)
            return
        if popen is None:
            return
        child.popen, child.process = popen, ProcessId.of(popen.pid)
        child.began, child.ready = now, False
        self.note()

    def _provision(self) -> None:
        """Bring roles, databases, users, topics and access rules to what this checkout says, once in each
        life.
        """
        try:
            postgres_engine.provision(self.postgres, self.passwords["postgres"])
            provision.provision(self.kafka.admin(), self.passwords["kafka"])
        except Exception as problem:
            # An engine may have died in between; it is restarted and this is tried again.
            for name in ("kafka", "postgres"):
                self.children[name].ready = False
                self.children[name].next_look = time.monotonic() + 0.5
            say(f"roles and topics could not be made, trying again: {problem}")
            return
        self.engines_ready = True

    def _all_ready(self) -> bool:
        return self.engines_ready and all(child.ready and child.running() for child in self.children.values())

    def note(self) -> None:
        """Write down what runs. A full disk must not stop the supervision: the marks serve as well."""
        me = ProcessId.of(os.getpid())
        state = {
            "supervisor": me.to_json() if me else None,
            "ready": self.announced and not self.stopping,
            "mode": self.setup.mode,
            "noted_at": now_text(),
            "services": list(service_names()),
            "processes": {name: child.note() for name, child in self.children.items()},
        }
        try:
            write_atomically(self.instance.state_file, json.dumps(state, indent=2) + "\n")
        except OSError as problem:
            say(f"the state of the instance could not be noted: {explain(problem)}")

    # Stopping

    def _stop_all(self) -> None:
        # From here on a second signal must not cut the stopping short.
        self.stopping = True
        for running in self.migrations.values():
            if running.poll() is None:
                running.terminate()
        engines = ("postgres", "kafka")
        stop_together([child for name, child in self.children.items() if name not in engines])
        stop_together([self.children[name] for name in engines if name in self.children])
        if self.children:
            for child in self.children.values():
                child.process = None
            self.announced = False
            self.note()


def ensure_issuer(instance: Instance) -> None:
    try:
        from shared.auth import development
    except ImportError as problem:
        say(f"no development issuer in this checkout, so no tokens: {problem}")
        return
    development.ensure_issuer(instance.secrets)


def fingerprint(*parts: object) -> str:
    """What a process was started with, in a form that gives away none of it."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def explain(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" ({problem.filename})" if problem.filename else ""
        return f"the disk is full{where}. Free some space; nothing that was acknowledged is lost."
    return str(problem)


def remember_last(instance: Instance) -> None:
    """Commands without --data act on the instance last started from this checkout."""
    try:
        if not os.environ.get("KEYPOST_UNREMEMBERED"):
            # An instance of the tests is not what a person's next command means.
            LAST.parent.mkdir(exist_ok=True)
            write_atomically(LAST, f"{instance.data}\n")
    except OSError as problem:
        say(f"this checkout cannot remember the instance ({explain(problem)}): give --data to other commands")


def supervise(
    instance: Instance,
    given: dict[str, int | str],
    clock_start: datetime | None,
    on_ready: Callable[[], None],
) -> int:
    """Run an instance until it is told to stop. Returns the exit code; every trouble has become a message."""
    try:
        instance.prepare()
        with instance.lock() as held:
            if not held:
                say(f"the instance in {instance.data} is already up")
                return 1
            setup = chosen_setup(instance.setup(), given, os.environ)
            Supervisor(instance, setup, clock_start).run(on_ready)
    except (EngineError, OSError) as problem:
        say(explain(problem))
        return 1
    return 0


def main() -> int:
    """The detached supervisor: `python -m deploy.embedded.supervisor --data DIR [--given JSON] [--clock
    ISO]`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--given", default="{}")
    parser.add_argument("--clock")
    arguments = parser.parse_args()
    clock_start = datetime.fromisoformat(arguments.clock) if arguments.clock else None
    return supervise(Instance(arguments.data), json.loads(arguments.given), clock_start, lambda: say(READY))


if __name__ == "__main__":
    sys.exit(main())
