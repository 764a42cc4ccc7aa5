"""`keypost verify`: recompute from the ledger and the topics, by a program that shares no code with the services.

The checker runs as a process of its own and gets its addresses and passwords on stdin, where no other user of the
machine can see them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, Any, Final

import typer

from cli.command import Call, command_with
from cli.idle import wait_idle
from cli.instance import CommandError, Exit, Session
from cli.words import phrase
from deploy.embedded.paths import ROOT
from deploy.embedded.postgres import VERIFIER
from deploy.embedded.terminal import say

OUTBOX_S: Final = 60.0
"""How long the checker itself awaits records that a database says have been sent."""

Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="First wait until every service has nothing left to do.")
]


def register(app: typer.Typer) -> None:
    app.command("verify")(verify_command)


@command_with("data", "json", "timeout")
def verify_command(call: Call, wait: Wait = True) -> None:
    """Recompute codes, ledger, totals, tiers, windows, and the views of customers and tiers, from outside; exit 1 and a
    list where they differ."""
    session = call.session
    if wait:
        say(phrase("cli.verify.waiting"))
        wait_idle(session)
    code = run_checker(session, call.json)
    if code != Exit.DONE:
        raise typer.Exit(code)


def run_checker(session: Session, as_json: bool) -> int:
    """Run the checker to its end; its result goes to our stdout. Its exit code is ours."""
    command = [sys.executable, "-m", "verifier", "--config", "-", *(["--json"] if as_json else [])]
    remaining = session.remaining()
    try:
        done = subprocess.run(
            command, cwd=ROOT, input=json.dumps(configuration(session)), text=True, timeout=max(remaining, 1.0),
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        raise CommandError(
            phrase("cli.verify.timeout", seconds=f"{remaining:.0f}"), Exit.TIMEOUT
        ) from problem
    return done.returncode


def configuration(session: Session) -> dict[str, Any]:
    """What the checker reads: every service of this checkout, with rights to read and no others."""
    instance = session.instance
    sandbox = session.setup.mode == "sandbox"
    return {
        "databases": {name: instance.database_url(name, VERIFIER) for name in session.services},
        "kafka": session.kafka(VERIFIER),
        "sandbox_clock": str(instance.clock_file) if sandbox else None,
        "timeout_s": min(OUTBOX_S, session.remaining()),
    }
