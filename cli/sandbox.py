"""`keypost clock`: the time of an instance, and in a sandbox the way to move it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from cli.idle import Progress, wait_idle
from cli.instance import PATIENCE_S, CommandError, Data, Exit, Json, Timeout, open_session, show
from shared.clock import SHANGHAI, SandboxClock

_LONGEST: Final = timedelta(days=36_525)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def register(app: typer.Typer) -> None:
    clock = typer.Typer(help="Show the instance's time, or move a sandbox's.", invoke_without_command=True)
    clock.callback()(show_clock)
    clock.command("advance")(advance)
    app.add_typer(clock, name="clock")


def show_clock(context: typer.Context, data: Data = None, json_: Json = False) -> None:
    """Show the instance's time, or move a sandbox's."""
    if context.invoked_subcommand is not None:
        context.obj = data
        return
    session = open_session(data)
    _print(session.clock().now(), session.setup.mode, json_)


def advance(
    context: typer.Context,
    by: Annotated[str, typer.Argument(metavar="DURATION", help="Such as 36h, 10m, 2d or 1d12h.")],
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Move a sandbox's clock on; returns when all timers that fall due on the way have fired, in their order."""
    delta = duration(by)
    session = open_session(data or context.obj, timeout_s=timeout)
    if session.setup.mode != "sandbox":
        raise CommandError(
            f"this is a {session.setup.mode} instance, and only a sandbox's clock can be moved"
            " (`keypost up --sandbox`, in a folder of its own)"
        )
    clock = SandboxClock(session.instance.clock_file)
    target = clock.now() + delta
    progress = Progress(session)
    try:
        # From one due timer to the next: what a timer does may set another that is due before the target.
        while True:
            found = wait_idle(session, progress)
            due = [datetime.fromisoformat(text) for text in found.timers]
            following = min((instant for instant in due if instant <= target), default=target)
            if following <= clock.now():
                if clock.now() >= target:
                    break
                following = min(
                    (instant for instant in due if clock.now() < instant <= target), default=target
                )
            clock.advance_to(following)
    finally:
        progress.close()
    _print(clock.now(), "sandbox", json_)


def duration(text: str) -> timedelta:
    """`36h`, `10m`, `2d`, `1d12h`: whole numbers with their units, largest or smallest first."""
    if not re.fullmatch(r"(\d{1,9}[smhdw])+", text):
        raise CommandError(f"{text!r} is no duration: write 36h, 10m, 2d or 1d12h", Exit.BAD_CALL)
    parts = re.findall(r"(\d+)([smhdw])", text)
    try:
        wanted = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    except OverflowError:
        wanted = timedelta.max
    if wanted > _LONGEST:
        raise CommandError(f"{text!r} is more than a hundred years", Exit.BAD_CALL)
    return wanted


def _print(now: datetime, mode: str, as_json: bool) -> None:
    local = now.astimezone(SHANGHAI).isoformat()
    show({"now": local, "mode": mode}, as_json, lambda: local)
