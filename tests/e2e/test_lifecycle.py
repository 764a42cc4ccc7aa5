"""`keypost up`, `down` and what comes in between, through the launcher, with real engines and stand-ins for
services.

The commands run in a checkout of the tests' own, which lies with its data below a folder that only root may
enter.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.kafka import free_ports
from deploy.embedded.paths import ROOT, RUNTIME
from shared.contracts.topics import SERVICES
from tests.support.engines import own_folder

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-7")]

NAMES = ("kafka_port", "controller_port", "postgres_port", *(f"{service}_port" for service in SERVICES))


@dataclass(slots=True)
class Checkout:
    """A checkout with stand-ins for services, and one data folder."""

    root: Path
    data: Path
    ports: dict[str, int]

    def run(self, *arguments: str, timeout: float = 120) -> Answer:
        done = subprocess.run(
            [str(self.root / "keypost"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            cwd="/",
            env=self.environment(),
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def environment(self) -> dict[str, str]:
        ports = {f"KEYPOST_{name.upper()}": str(port) for name, port in self.ports.items()}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("KEYPOST_")},
            **ports,
            "KEYPOST_DATA": str(self.data),
            "KEYPOST_RUNTIME": str(RUNTIME),
            "KEYPOST_PREPARED": "1",
        }

    def status(self) -> dict[str, Any]:
        answer = self.run("status", "--json")
        assert answer.code == 0, answer
        found: dict[str, Any] = json.loads(answer.out)
        return found

    def pids(self) -> dict[str, int | None]:
        status = self.status()
        return {
            "kafka": status["kafka"]["pid"],
            "postgres": status["postgres"]["pid"],
            **{name: next(iter(service["pids"]), None) for name, service in status["services"].items()},
        }

    def tell(self, service: str, **account: Any) -> None:
        """Set what a stand-in says of its progress."""
        path = self.data / "failpoints" / f"{service}.progress"
        path.with_suffix(".new").write_text(json.dumps(account))
        path.with_suffix(".new").replace(path)


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about in time"


def alive(pid: int | None) -> bool:
    try:
        return (
            pid is not None
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        )
    except OSError:
        return False


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    with own_folder("lifecycle") as closed:
        yield made(closed)


def made(closed: Path) -> Checkout:
    closed.chmod(0o700)
    root = closed / "checkout"
    for part in ("cli", "deploy", "shared"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    # The commands of other parts need other parts; here only the system's life is looked at.
    for module in (root / "cli").glob("*.py"):
        if module.stem not in (
            "__init__",
            "__main__",
            "access",
            "command",
            "idle",
            "instance",
            "language",
            "lifecycle",
            "main",
            "printable",
            "sandbox",
            "words",
        ):
            module.unlink()
    (root / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "runtime.lock", root / "requirements")
    shutil.copy(ROOT / "keypost", root)
    (root / "services").mkdir()
    for service in SERVICES:
        (root / "services" / service).mkdir()
        shutil.copy(ROOT / "tests" / "support" / "standin.py", root / "services" / service / "__main__.py")
    return Checkout(root, closed / "data", dict(zip(NAMES, free_ports(len(NAMES)), strict=True)))


@contextmanager
def an_instance(checkout: Checkout, *arguments: str) -> Iterator[Answer]:
    try:
        answer = checkout.run("up", "--detach", "--timeout", "90", *arguments)
        assert answer.code == 0, answer
        yield answer
    finally:
        assert checkout.run("down").code == 0


@pytest.fixture(scope="module")
def up(checkout: Checkout) -> Iterator[Answer]:
    with an_instance(checkout) as answer:
        yield answer


def test_up_prints_ready_alone_and_says_what_it_changed_for_postgresql(
    checkout: Checkout, up: Answer
) -> None:
    assert up.out == "READY\n"
    if os.geteuid() == 0:
        assert str(checkout.data.parent) in up.err


def test_status_has_the_promised_shape(checkout: Checkout, up: Answer) -> None:
    status = checkout.status()
    assert status["ready"] is True
    assert status["data_dir"] == str(checkout.data)
    assert status["kafka"]["bootstrap_servers"] == f"127.0.0.1:{checkout.ports['kafka_port']}"
    assert set(status["services"]) == set(SERVICES)
    for name, service in status["services"].items():
        assert service["url"] == f"http://127.0.0.1:{checkout.ports[f'{name}_port']}"
        assert service["ready"] is True
        assert service["lag"] == 0
    assert all(alive(pid) for pid in checkout.pids().values())
    assert status["console"]


def test_a_second_up_reports_ready_and_starts_nothing(checkout: Checkout, up: Answer) -> None:
    before = checkout.pids()
    again = checkout.run("up", "--detach")
    assert (again.code, again.out) == (0, "READY\n")
    assert "already up" in again.err
    assert checkout.pids() == before
    attached = checkout.run("up")
    assert attached.code == 1
    assert "already up" in attached.err


def test_a_killed_service_is_started_again(checkout: Checkout, up: Answer) -> None:
    before = checkout.pids()
    kill(before["tiering"])
    until(lambda: checkout.status()["ready"] and checkout.pids()["tiering"] != before["tiering"])
    after = checkout.pids()
    assert {name for name in after if after[name] != before[name]} == {"tiering"}


def test_killed_engines_are_started_again_and_a_command_waits_for_them(
    checkout: Checkout, up: Answer
) -> None:
    checkout.tell("tiering", positions={"counter.transactions.v1": {"0": 0}})
    before = checkout.pids()
    kill(before["kafka"])
    kill(before["postgres"])
    answer = checkout.run("wait-idle", "--timeout", "60")
    assert answer.code == 0, answer
    until(lambda: bool(checkout.status()["ready"]))
    assert checkout.pids()["kafka"] != before["kafka"]
    checkout.tell("tiering")


def test_the_next_up_takes_over_what_a_killed_supervisor_left(checkout: Checkout, up: Answer) -> None:
    before = checkout.pids()
    kill(checkout.status()["supervisor"]["pid"])
    again = checkout.run("up", "--detach", "--timeout", "60")
    assert (again.code, again.out) == (0, "READY\n")
    assert checkout.pids() == before
    # What is taken over is supervised like what was started.
    kill(before["claims"])
    until(lambda: checkout.status()["ready"] and checkout.pids()["claims"] != before["claims"])


def test_processes_of_which_no_note_is_left_are_found_and_replaced(checkout: Checkout, up: Answer) -> None:
    before = checkout.pids()
    kill(checkout.status()["supervisor"]["pid"])
    (checkout.data / "state.json").unlink()
    assert checkout.run("up", "--detach", "--timeout", "60").code == 0
    assert not any(alive(pid) for pid in before.values())
    assert checkout.status()["ready"]


def test_wait_idle_waits_for_outboxes_due_timers_and_other_work(checkout: Checkout, up: Answer) -> None:
    for left in ("outbox_pending", "timers_due", "work_pending"):
        checkout.tell("claims", **{left: 1})
        late = checkout.run("wait-idle", "--timeout", "0.3")
        assert late.code == 4, late
        assert left.replace("_", " ") in late.err
    checkout.tell("claims")
    assert checkout.run("wait-idle", "--timeout", "30").code == 0


def test_wait_idle_waits_for_records_and_not_for_the_marks_of_transactions(
    checkout: Checkout, up: Answer
) -> None:
    from confluent_kafka import Producer

    from deploy.embedded.instance import Instance

    topic = "tiering.tier-changes.v1"
    credentials = Instance(checkout.data).kafka_client("tiering")
    producer = Producer({**credentials, "transactional.id": "tiering.relay.0", "log_level": 0})
    producer.init_transactions(30)
    offsets: list[int] = []
    producer.begin_transaction()
    producer.produce(
        topic, b"x", partition=2, on_delivery=lambda _error, message: offsets.append(message.offset() or 0)
    )
    producer.commit_transaction(30)
    checkout.tell("claims", positions={topic: {"2": offsets[0]}})
    assert checkout.run("wait-idle", "--timeout", "0.3").code == 4
    assert checkout.status()["services"]["claims"]["lag"] > 0
    # Behind the record only the mark of the commit is left, which nobody ever receives.
    checkout.tell("claims", positions={topic: {"2": offsets[0] + 1}})
    assert checkout.run("wait-idle", "--timeout", "30").code == 0
    assert checkout.status()["services"]["claims"]["lag"] == 0
    # A partition without a position was never read.
    checkout.tell("claims", positions={topic: {"0": 0}})
    assert checkout.run("wait-idle", "--timeout", "0.3").code == 4
    checkout.tell("claims")


def test_a_development_instances_clock_cannot_be_moved(checkout: Checkout, up: Answer) -> None:
    assert checkout.run("clock", "advance", "1h").code == 1
    assert checkout.run("clock", "advance", "soon").code == 2


def test_a_client_gets_in_with_what_client_config_prints(checkout: Checkout, up: Answer) -> None:
    from confluent_kafka import Producer

    printed = checkout.run("client-config", "counter").out
    properties = dict(line.split("=", 1) for line in printed.splitlines())
    errors: list[object] = []
    producer = Producer({**properties, "message.timeout.ms": "20000"})
    producer.produce(
        "counter.transactions.v1", b"{}", on_delivery=lambda error, _message: errors.append(error)
    )
    producer.flush(30)
    assert errors == [None]
    subscriber = checkout.run("client-config", "subscriber", "--format", "java").out
    assert "isolation.level=read_committed\n" in subscriber
    assert "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule" in subscriber
    assert checkout.run("client-config", "somebody").code == 2


def test_a_token_is_made_for_a_known_user_only(checkout: Checkout, up: Answer) -> None:
    assert checkout.run("token", "--user", "operator").out.count(".") == 2
    assert checkout.run("token", "--user", "nobody").code == 2


def test_no_password_is_in_a_log_or_in_the_state(checkout: Checkout, up: Answer) -> None:
    shown = (checkout.data / "state.json").read_text() + checkout.run("status", "--json").out
    for log in (checkout.data / "logs").iterdir():
        shown += log.read_text(errors="replace")
    stored = json.loads((checkout.data / "secrets" / "passwords.json").read_text())
    assert not [password for users in stored.values() for password in users.values() if password in shown]
    assert (checkout.data / "secrets" / "passwords.json").stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_is_named_with_who_needs_it_and_how_to_choose_another(checkout: Checkout) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        other = Checkout(checkout.root, checkout.data.with_name("taken"), dict(checkout.ports))
        answer = other.run("up", "--detach", "--tiering-port", str(port))
    assert answer.code == 1
    assert f"port {port} is in use, and tiering needs it" in answer.err
    assert "--tiering-port" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(("version", "what"), [("2", "newer"), ("0", "cannot take over")])
def test_data_of_another_format_is_left_alone(
    checkout: Checkout, tmp_path: Path, version: str, what: str
) -> None:
    (tmp_path / "VERSION").write_text(f"{version}\n")
    answer = checkout.run("up", "--detach", "--data", str(tmp_path))
    assert answer.code == 1
    assert what in answer.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["VERSION"]


def test_a_folder_with_other_peoples_files_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    answer = checkout.run("up", "--detach", "--data", str(tmp_path))
    assert answer.code == 1
    assert "thesis.odt" in answer.err


def test_a_bad_call_is_exit_code_two(checkout: Checkout) -> None:
    assert checkout.run("up", "--no-such-option").code == 2
    assert checkout.run("up", "--clock", "2026-01-01T00:00+08:00").code == 2
    assert checkout.run("up", "--sandbox", "--clock", "yesterday").code == 2


def test_a_command_without_an_instance_says_so(checkout: Checkout, tmp_path: Path) -> None:
    answer = checkout.run("status", "--data", str(tmp_path / "nowhere"))
    assert answer.code == 1
    assert "keypost up" in answer.err


def test_a_sandbox_steps_from_timer_to_timer_and_keeps_its_time(checkout: Checkout) -> None:
    sandbox = Checkout(
        checkout.root,
        checkout.data.with_name("sandbox"),
        dict(zip(NAMES, free_ports(len(NAMES)), strict=True)),
    )
    hour = 3_600_000_000
    start = 1_767_196_800_000_000  # 2026-01-01T00:00+08:00
    with an_instance(sandbox, "--sandbox", "--clock", "2026-01-01T00:00+08:00"):
        sandbox.tell("claims", timers=[start + 2 * hour, start + 5 * hour, start + 40 * hour])
        sandbox.tell("registry", timers=[start + 3 * hour])
        assert sandbox.run("clock").out == "2026-01-01T00:00:00+08:00\n"
        moved = sandbox.run("clock", "advance", "36h", "--timeout", "60")
        assert (moved.code, moved.out) == (0, "2026-01-02T12:00:00+08:00\n"), moved
        fired = (sandbox.data / "failpoints" / "claims.fired").read_text().split()
        assert fired == [str(start + h * hour) for h in (2, 2, 5, 5)], "each fires at its own time"
        assert (sandbox.data / "failpoints" / "registry.fired").read_text().split()[1] == str(
            start + 3 * hour
        )
    with an_instance(sandbox):
        assert sandbox.run("clock").out == "2026-01-02T12:00:00+08:00\n"


def test_in_the_foreground_an_interrupt_stops_everything(checkout: Checkout) -> None:
    own = Checkout(
        checkout.root,
        checkout.data.with_name("foreground"),
        dict(zip(NAMES, free_ports(len(NAMES)), strict=True)),
    )
    out, err = own.data.with_suffix(".out"), own.data.with_suffix(".err")
    with (
        out.open("w") as stdout,
        err.open("w") as stderr,
        # From a folder with packages of the same names, under a mask that closes every new file to others.
        subprocess.Popen(
            [str(own.root / "keypost"), "up"],
            stdout=stdout,
            stderr=stderr,
            env=own.environment(),
            umask=0o077,
            cwd=ROOT,
        ) as process,
    ):
        try:
            until(lambda: out.read_text() == "READY\n" or process.poll() is not None)
            assert process.poll() is None, err.read_text()
            pids = own.pids()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, err.read_text()
            assert not any(alive(pid) for pid in pids.values())
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            own.run("down")
    status = own.status()
    assert status["ready"] is False
    assert status["kafka"]["pid"] is None
