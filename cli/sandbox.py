"""`keypost clock`: the time of an instance, and in a sandbox the way to move it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from cli.command import Call, bad_call, command_with
from cli.idle import Progress, wait_idle
from cli.instance import CommandError
from cli.printable import visible
from cli.words import phrase
from shared.clock import SHANGHAI, SandboxClock

_LONGEST: Final = timedelta(days=36_525)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def register(app: typer.Typer) -> None:
    clock = typer.Typer(help="Show the instance's time, or move a sandbox's.", invoke_without_command=True)
    clock.callback()(show_clock)
    clock.command("advance")(advance)
    app.add_typer(clock, name="clock")


@command_with("data", "json")
def show_clock(call: Call, context: typer.Context) -> None:
    """Show the instance's time, or move a sandbox's."""
    if context.invoked_subcommand is not None:
        context.obj = call.data
        return
    _show(call, call.session.clock().now(), call.session.setup.mode)


@command_with("data", "json", "timeout")
def advance(
    call: Call,
    context: typer.Context,
    by: Annotated[str, typer.Argument(metavar="DURATION", help="Such as 36h, 10m, 2d or 1d12h.")],
) -> None:
    """Move a sandbox's clock on; returns when all timers that fall due on the way have fired, in their order."""
    delta = duration(by)
    call.data = call.data or context.obj
    session = call.session
    if session.setup.mode != "sandbox":
        raise CommandError(phrase("cli.clock.no_sandbox", mode=session.setup.mode))
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
    _show(call, clock.now(), "sandbox")


def duration(text: str) -> timedelta:
    """`36h`, `10m`, `2d`, `1d12h`: whole numbers with their units, largest or smallest first."""
    if not re.fullmatch(r"(\d{1,9}[smhdw])+", text):
        raise bad_call("cli.clock.no_duration", text=visible(text))
    parts = re.findall(r"(\d+)([smhdw])", text)
    try:
        wanted = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    except OverflowError:
        wanted = timedelta.max
    if wanted > _LONGEST:
        raise bad_call("cli.clock.too_far", text=visible(text))
    return wanted


def _show(call: Call, now: datetime, mode: str) -> None:
    call.show({"now": now.astimezone(SHANGHAI).isoformat(), "mode": mode}, lambda clock: clock["now"])
