"""An instance on disk: where its files lie, how it was set up, its secrets, and which of its processes run."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets as randomness
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import IO, Any, Final

from deploy.embedded import provision
from deploy.embedded.kafka import ADMIN, client_properties
from deploy.embedded.paths import ROOT
from deploy.embedded.postgres import ROLES, SUPERUSER
from deploy.embedded.processes import EngineError, ProcessId
from shared.contracts.topics import SERVICES

FORMAT: Final = 1
"""The format of the data folder. A folder of another format is left alone."""
HOST: Final = "127.0.0.1"
LAST: Final = ROOT / ".keypost" / "last"
DEFAULT_DATA: Final = ROOT / ".keypost" / "data"
_LEAST_FREE_BYTES: Final = 300 * 1024 * 1024
_OURS: Final = frozenset(
    [
        "VERSION",
        "lock",
        "state.json",
        "setup.json",
        "secrets",
        "kafka",
        "postgres",
        "logs",
        "failpoints",
        "clock",
        "lost+found",
    ]
)


@dataclass(frozen=True, slots=True)
class Setup:
    """What an instance was set up with. It is kept with the data, so that the next `up` needs no repetition."""

    mode: str = "development"
    kafka_port: int = 19092
    controller_port: int = 19093
    postgres_port: int = 15432
    registry_port: int = 8101
    tiering_port: int = 8102
    claims_port: int = 8103
    reporting_port: int = 8104

    def service_port(self, service: str) -> int:
        return int(getattr(self, f"{service}_port"))

    def ports(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if name.endswith("_port")}

    @classmethod
    def option(cls, port_name: str) -> str:
        return "--" + port_name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Instance:
    """One data folder."""

    data: Path

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def state_file(self) -> Path:
        return self.data / "state.json"

    @property
    def clock_file(self) -> Path:
        return self.data / "clock"

    def failpoints_file(self, service: str) -> Path:
        return self.data / "failpoints" / service

    def exists(self) -> bool:
        return (self.data / "VERSION").exists()

    # Making and checking the folder

    def prepare(self) -> None:
        """Make the folder, or make sure that it is an instance this program understands."""
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            entries = {entry.name for entry in self.data.iterdir()}
        except OSError as problem:
            raise EngineError(f"the data folder {self.data} cannot be used: {problem.strerror}") from problem
        if "VERSION" in entries:
            self.check_format()
        elif foreign := entries - _OURS:
            raise EngineError(
                f"{self.data} is no instance and holds other files ({', '.join(sorted(foreign)[:3])}).\n"
                "Choose an empty or a new folder with --data."
            )
        free = shutil.disk_usage(self.data).free
        if free < _LEAST_FREE_BYTES:
            raise EngineError(
                f"the disk that holds {self.data} has {free // 1024 // 1024} MB left and an instance needs"
                f" {_LEAST_FREE_BYTES // 1024 // 1024} MB.\n"
                "Free some space, or choose a folder on another disk with --data. Nothing was changed."
            )
        if "VERSION" not in entries:
            write_atomically(self.data / "VERSION", f"{FORMAT}\n")
        for folder in (self.secrets, self.logs, self.data / "failpoints"):
            folder.mkdir(mode=0o700, exist_ok=True)

    def check_format(self) -> None:
        text = (self.data / "VERSION").read_text(encoding="utf-8").strip()
        if text == str(FORMAT):
            return
        if text.isdecimal() and int(text) > FORMAT:
            raise EngineError(
                f"{self.data} was made by a newer keypost (format {text}; this one writes format {FORMAT}).\n"
                "Use that version, or another folder with --data. Nothing was changed."
            )
        raise EngineError(
            f"{self.data} is of format {text[:20]!r}, which this keypost (format {FORMAT}) cannot take over.\n"
            "Use the version that made it, or another folder with --data. Nothing was changed."
        )

    # Settings

    def setup(self) -> Setup | None:
        try:
            stored = json.loads((self.data / "setup.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as problem:
            raise EngineError(f"{self.data / 'setup.json'} cannot be read: {problem}") from problem
        known = {field.name for field in fields(Setup)}
        return Setup(**{name: value for name, value in stored.items() if name in known})

    def keep_setup(self, setup: Setup) -> None:
        write_atomically(self.data / "setup.json", json.dumps(asdict(setup), indent=2) + "\n")

    # Secrets

    def passwords(self, *, make: bool = False) -> dict[str, dict[str, str]]:
        """The engines' passwords, by engine and user. `make` adds those that are missing."""
        path = self.secrets / "passwords.json"
        try:
            stored: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            stored = {}
        except ValueError as problem:
            raise EngineError(f"{path} cannot be read: {problem}") from problem
        if not stored and (self.data / "kafka" / "keypost.ready").exists():
            raise EngineError(
                f"the instance has data but {path} is gone. Put it back; it cannot be made anew."
            )
        wanted = {"kafka": (ADMIN, *provision.PRINCIPALS), "postgres": (SUPERUSER, *ROLES)}
        full = {
            engine: {user: stored.get(engine, {}).get(user) or randomness.token_urlsafe(24) for user in users}
            for engine, users in wanted.items()
        }
        if full != stored:
            if not make:
                raise EngineError(f"{path} is missing: start the instance once with `keypost up`")
            write_atomically(path, json.dumps(full, indent=2) + "\n", mode=0o600)
        return full

    # What runs

    def state(self) -> dict[str, Any]:
        try:
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # It is written whole or not at all; without it the processes are found by their marks.
            return {}
        return state if isinstance(state, dict) else {}

    def supervisor(self) -> ProcessId | None:
        """The process that supervises this instance now."""
        process = ProcessId.from_json(self.state().get("supervisor"))
        return process if process is not None and process.alive() else None

    @contextlib.contextmanager
    def lock(self) -> Iterator[bool]:
        """Whether this process may supervise the instance. The kernel lets go of the lock with its holder, so
        a lock is never left behind.
        """
        with _opened(self.data / "lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def mark(self, name: str) -> tuple[str, str]:
        """An environment variable by which a process of this instance is known even where no note of it
        exists.
        """
        return "KEYPOST_PROCESS", f"{name}@{self.data}"

    def marked(self, name: str) -> list[ProcessId]:
        """The running processes with that mark."""
        wanted = "=".join(self.mark(name)).encode()
        found: list[ProcessId] = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                marks = wanted in (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if marks and (process := ProcessId.of(int(folder.name))) is not None:
                found.append(process)
        return found

    def postmaster(self) -> ProcessId | None:
        """PostgreSQL notes its own pid. The sessions it forks carry its environment, so the mark will not do."""
        try:
            pid = int((self.data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            return None
        return ProcessId.of(pid) if str(self.data / "postgres").encode() in command else None

    # Addresses

    def kafka_client(self, user: str) -> dict[str, Any]:
        setup = self.setup() or Setup()
        return client_properties(f"{HOST}:{setup.kafka_port}", user, self.passwords()["kafka"][user])

    def database_url(self, service: str, role: str, driver: str = "postgresql") -> str:
        setup = self.setup() or Setup()
        password = self.passwords()["postgres"][role]
        return f"{driver}://{role}:{password}@{HOST}:{setup.postgres_port}/{service}"

    def service_url(self, service: str) -> str:
        return f"http://{HOST}:{(self.setup() or Setup()).service_port(service)}"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("ab")
    except OSError as problem:
        raise EngineError(f"{path} cannot be opened: {problem.strerror}") from problem
    with file:
        yield file


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in one step: a reader sees the old text or the new, and a kill in between changes
    nothing.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def chosen_setup(
    stored: Setup | None, given: Mapping[str, int | str], environment: Mapping[str, str]
) -> Setup:
    """What was said now comes before the environment, that before what the instance was set up with, that
    before the defaults. The controller stands beside Kafka's port unless it is given a place of its own.
    """
    setup = stored or Setup()
    changes: dict[str, Any] = {}
    for name in setup.ports():
        if name in given:
            changes[name] = given[name]
        elif text := environment.get(f"KEYPOST_{name.upper()}"):
            if not text.isdecimal() or not 0 < int(text) < 65536:
                raise EngineError(f"KEYPOST_{name.upper()}={text} is no port")
            changes[name] = int(text)
    if "kafka_port" in changes and "controller_port" not in changes:
        changes["controller_port"] = changes["kafka_port"] + 1
    wanted_mode = given.get("mode")
    if stored is not None and wanted_mode not in (None, stored.mode):
        raise EngineError(
            f"this instance is in {stored.mode} mode and cannot become a {wanted_mode}: choose another folder with --data"
        )
    if wanted_mode is not None:
        changes["mode"] = wanted_mode
    setup = replace(setup, **changes)
    by_port: dict[int, str] = {}
    for name, port in setup.ports().items():
        if port in by_port:
            raise EngineError(
                f"{Setup.option(by_port[port])} and {Setup.option(name)} are both {port}; each needs a port of its own"
            )
        by_port[port] = name
    return setup


def find(data: Path | None, environment: Mapping[str, str]) -> Instance:
    """The instance a command acts on: the folder given, KEYPOST_DATA, or the one last started from here."""
    if data is None and (text := environment.get("KEYPOST_DATA")):
        data = Path(text)
    if data is None:
        with contextlib.suppress(OSError):
            data = Path(LAST.read_text(encoding="utf-8").strip())
    return Instance((data or DEFAULT_DATA).expanduser().resolve())


def service_names() -> tuple[str, ...]:
    """The services that this checkout contains."""
    return tuple(name for name in SERVICES if (ROOT / "services" / name / "__main__.py").exists())
