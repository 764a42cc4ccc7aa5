"""`keypost up`, `down` and `status`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.command import Call, bad_call, command_with
from cli.idle import Progress
from cli.instance import CommandError, Exit, Session
from cli.words import phrase
from deploy.embedded.instance import HOST, Instance, chosen_setup, find, service_names
from deploy.embedded.paths import ROOT
from deploy.embedded.ports import http_ok
from deploy.embedded.processes import ProcessId, spawn
from deploy.embedded.stopping import down as stop_instance
from deploy.embedded.supervisor import READY, remember_last, supervise
from deploy.embedded.terminal import say

_PANEL = "Ports"


def _port(text: str) -> Any:
    return typer.Option(text, min=1, max=65535, metavar="PORT", rich_help_panel=_PANEL, show_default=False)


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)


@command_with("data", "timeout")
def up(
    call: Call,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is ready.")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="A training instance on its own clock.")] = False,
    clock: Annotated[
        str | None, typer.Option(metavar="ISO", help="Where a new sandbox's clock starts.")
    ] = None,
    kafka_port: Annotated[int | None, _port("--kafka-port")] = None,
    controller_port: Annotated[int | None, _port("--controller-port")] = None,
    postgres_port: Annotated[int | None, _port("--postgres-port")] = None,
    registry_port: Annotated[int | None, _port("--registry-port")] = None,
    tiering_port: Annotated[int | None, _port("--tiering-port")] = None,
    claims_port: Annotated[int | None, _port("--claims-port")] = None,
    reporting_port: Annotated[int | None, _port("--reporting-port")] = None,
) -> None:
    """Start the whole system on this machine and supervise it; prints READY when every service is.

    An instance keeps its ports and its mode: they need to be said once.
    """
    given: dict[str, int | str] = {
        name: port
        for name, port in {
            "kafka_port": kafka_port, "controller_port": controller_port, "postgres_port": postgres_port,
            "registry_port": registry_port, "tiering_port": tiering_port, "claims_port": claims_port,
            "reporting_port": reporting_port,
        }.items()
        if port is not None
    }  # fmt: skip
    clock_start = None if clock is None else _instant(clock)
    if sandbox:
        given["mode"] = "sandbox"
    elif clock is not None:
        raise bad_call("cli.up.clock_needs_sandbox")
    start(find(call.data, os.environ), given, clock_start, call.timeout, detach=detach)


def start(
    instance: Instance,
    given: dict[str, int | str],
    clock_start: datetime | None,
    timeout_s: float,
    *,
    detach: bool,
) -> None:
    """Start an instance with these ports and this mode, in the background or until it is stopped."""
    # The folder is made and checked here, where a refusal still has somebody to tell.
    instance.prepare()
    chosen = chosen_setup(instance.setup(), given, os.environ)
    if instance.supervisor() is not None:
        if chosen != instance.setup():
            raise CommandError(phrase("cli.up.other_settings", data=instance.data))
        if not detach:
            raise CommandError(phrase("cli.up.already_up_stop", data=instance.data))
        say(phrase("cli.up.already_up", data=instance.data))
        remember_last(instance)
        _wait_ready(instance, None, timeout_s, instance.logs / "supervisor.log", -1)
        return
    if not detach:
        raise typer.Exit(supervise(instance, given, clock_start, lambda: _announce(instance)))
    log = instance.logs / "supervisor.log"
    offset = log.stat().st_size if log.exists() else 0
    arguments = ["--data", str(instance.data), "--given", json.dumps(given)]
    if clock_start is not None:
        arguments += ["--clock", clock_start.isoformat()]
    child = spawn(
        [sys.executable, "-m", "deploy.embedded.supervisor", *arguments],
        log=log,
        env=os.environ,
        cwd=ROOT,
    )
    _wait_ready(instance, child, timeout_s, log, offset)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as problem:
        raise bad_call("cli.up.no_instant", text=text, why=problem) from problem
    if instant.tzinfo is None:
        raise bad_call("cli.up.no_offset", text=text)
    return instant


def _wait_ready(
    instance: Instance, child: subprocess.Popen[bytes] | None, timeout_s: float, log: Path, offset: int
) -> None:
    """Show the supervisor's messages until it says that all is ready. A negative offset shows none."""
    deadline = time.monotonic() + timeout_s
    while True:
        ended = child is not None and child.poll() is not None
        state = instance.state()
        supervisor = ProcessId.from_json(state.get("supervisor"))
        ready = bool(state.get("ready")) and supervisor is not None and supervisor.alive()
        if offset >= 0:
            offset = _pass_on(log, offset)
        if ready and (child is None or supervisor is None or supervisor.pid == child.pid):
            _announce(instance)
            return
        if ended and child is not None:
            if instance.supervisor() is not None:
                # Another `up` was a moment earlier; its instance is the one to wait for.
                child = None
                continue
            if child.returncode < 0:
                killer = signal.Signals(-child.returncode).name
                raise CommandError(phrase("cli.up.killed", signal=killer))
            raise typer.Exit(child.returncode or Exit.REFUSED)
        if child is None and instance.supervisor() is None:
            raise CommandError(phrase("cli.up.stopped", data=instance.data))
        if time.monotonic() > deadline:
            raise CommandError(
                phrase("cli.up.not_ready", seconds=f"{timeout_s:.0f}", logs=instance.logs), Exit.TIMEOUT
            )
        time.sleep(0.05)


def _pass_on(log: Path, offset: int) -> int:
    with log.open("rb") as stream:
        stream.seek(offset)
        text = stream.read()
    whole = text[: text.rfind(b"\n") + 1]
    for line in whole.decode("utf-8", "replace").splitlines():
        if line != f"keypost: {READY}":
            print(line, file=sys.stderr, flush=True)
    return offset + len(whole)


def _announce(instance: Instance) -> None:
    print(READY, flush=True)
    if console := _console(instance):
        say(phrase("cli.up.console", url=console))
    say(phrase("cli.up.token"))


def _console(instance: Instance) -> str | None:
    return f"{instance.service_url('reporting')}/" if "reporting" in service_names() else None


@command_with("data")
def down(call: Call) -> None:
    """Stop the whole system and keep its data."""
    instance = find(call.data, os.environ)
    if not stop_instance(instance):
        say(phrase("cli.down.nothing", data=instance.data))


@command_with("data", "json")
def status(call: Call) -> None:
    """Show whether everything answers, where, and how far behind it is."""
    call.show(gather(call.session), _as_text)


def gather(session: Session) -> dict[str, Any]:
    """The state of an instance as it is found now. Nothing is waited for."""
    instance, setup = session.instance, session.setup
    notes = instance.state().get("processes") or {}

    def pid(name: str) -> int | None:
        process = ProcessId.from_json(notes.get(name))
        return process.pid if process is not None and process.alive() else None

    kafka = {"bootstrap_servers": f"{HOST}:{setup.kafka_port}", "pid": pid("kafka")}
    passfile = instance.secrets / "pgpass"
    postgres = {
        "dsn": f"postgresql://verifier@{HOST}:{setup.postgres_port}/tiering?passfile={passfile}",
        "pid": pid("postgres"),
    }
    engines_answer = all(
        (kafka["pid"], postgres["pid"], _listens(setup.kafka_port), _listens(setup.postgres_port))
    )
    progress = Progress(session)
    lags = progress.lags() if kafka["pid"] and _listens(setup.kafka_port) else {}
    services = {}
    for service in session.services:
        url = session.url(service)
        service_pid = pid(service)
        services[service] = {
            "url": url,
            "pids": [] if service_pid is None else [service_pid],
            "ready": service_pid is not None and http_ok(f"{url}/health/ready"),
            "lag": lags.get(service),
        }
    supervisor = instance.supervisor()
    return {
        "ready": engines_answer and all(service["ready"] for service in services.values()),
        "data_dir": str(instance.data),
        "mode": setup.mode,
        "supervisor": {"pid": None if supervisor is None else supervisor.pid},
        "kafka": kafka,
        "postgres": postgres,
        "services": services,
        "console": _console(instance),
    }


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def _as_text(found: dict[str, Any]) -> str:
    lines = [f"{_readiness(found['ready'])}  {found['data_dir']} ({found['mode']})"]
    for name, where in (
        ("kafka", found["kafka"]["bootstrap_servers"]),
        ("postgres", found["postgres"]["dsn"]),
    ):
        lines.append(f"  {name:<10} pid {found[name]['pid'] or '-':<8} {where}")
    for name, service in found["services"].items():
        pids = ",".join(map(str, service["pids"])) or "-"
        behind = phrase("cli.status.lag", records="?" if service["lag"] is None else service["lag"])
        lines.append(f"  {name:<10} pid {pids:<8} {service['url']}  {_readiness(service['ready'])}{behind}")
    if found["supervisor"]["pid"] is None:
        lines.append("  " + phrase("cli.status.unsupervised"))
    if found["console"]:
        lines.append("  " + phrase("cli.up.console", url=found["console"]))
    return "\n".join(lines)


def _readiness(ready: bool) -> str:
    return phrase("cli.status.ready" if ready else "cli.status.not_ready")
