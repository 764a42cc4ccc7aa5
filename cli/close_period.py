"""`keypost close-period 2011`: closes a revenue year, or shows what its close would move (TIE-9)."""

from __future__ import annotations

import re
import sys
import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Refused,
    Session,
    Timeout,
    open_session,
    show,
)
from cli.language import accept_language
from cli.printable import moment
from deploy.embedded.terminal import say

_PERIOD: Final = re.compile(r"(?:19|20|21)[0-9]{2}(?:Q[1-4])?")
_REST_S: Final = 0.1


def register(app: typer.Typer) -> None:
    app.command("close-period")(close_period)


def close_period(
    period: Annotated[str, typer.Argument(metavar="2011|2011Q1", help="A revenue year or quarter.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Close nothing; show every move that the close would bring.")
    ] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Close a revenue year or quarter; a second call changes nothing, and a close is never reopened.

    Returns when the close has been carried out for every holder of a tier. Interrupted, it goes on by itself.
    """
    period = period.strip().upper()
    if _PERIOD.fullmatch(period) is None:
        raise CommandError(
            f"{period!r} is no period: write a year such as 2011, or a quarter such as 2011Q1", Exit.BAD_CALL
        )
    session = open_session(data, user, timeout)
    if dry_run:
        body = {"period": period, "dry_run": True}
        moves = session.post("tiering", "/v1/closes", body, headers=accept_language())
        show(moves, json_, lambda: _moves_text(moves))
        return
    close, new = close_and_wait(session, period)
    if not new:
        say(f"{period} was closed before, nothing was changed")
    show(close, json_, lambda: _close_text(close))


def close_and_wait(session: Session, period: str, *, quiet: bool = False) -> tuple[dict[str, Any], bool]:
    """The close once it is done, and whether it was this call that asked for it."""
    before = _known(session, period)
    if before is not None and before["state"] == "done":
        return before, False
    close = session.post("tiering", "/v1/closes", {"period": period}, headers=accept_language())
    return _follow(session, close, quiet=quiet), before is None


def _known(session: Session, period: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = session.get("tiering", f"/v1/closes/{period}", headers=accept_language())
    except Refused as refused:
        # Everything else that speaks against it is said by the request itself.
        if refused.problem.get("code") in ("not_closed", "no_quarterly_scheme"):
            return None
        raise
    return found


def _follow(session: Session, close: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    columns = (TextColumn("closing {task.description}"), BarColumn(), MofNCompleteColumn())
    shown = sys.stderr.isatty() and not quiet
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(close["period"], total=None)
        while close["state"] != "done":
            if session.remaining() <= 0:
                raise CommandError(
                    f"{close['period']} is not closed after {session.timeout_s:.0f} s: {close['settled']} of"
                    f" {close['holders']} holders are done; it goes on by itself",
                    Exit.TIMEOUT,
                )
            time.sleep(_REST_S)
            close = session.get("tiering", f"/v1/closes/{close['period']}", headers=accept_language())
            if close["state"] != "queued":
                bar.update(task, total=close["holders"], completed=close["settled"])
    return close


def _close_text(close: dict[str, Any]) -> str:
    return (
        f"{close['period']} is closed since {moment(close['closed_at'])} (by {close['requested_by']}):"
        f" {close['holders']} holders of a tier, {close['moves']} moves"
    )


def _moves_text(told: dict[str, Any]) -> str:
    moves = told["moves"]
    lines = [f"closing {told['period']} would bring {len(moves)} moves"]
    lines += [
        f"{move['customer_code']:<32} {move['scheme']:<16} {move['from_tier']:>10} → {move['to_tier']:<10}"
        f" {move['reason']:<16} {move['effective_on']} {move['total']:>16}"
        for move in moves
    ]
    return "\n".join(lines)
