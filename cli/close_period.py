"""`keypost close-period 2011`: closes a revenue year, or shows what its close would move (TIE-9)."""

from __future__ import annotations

import re
import sys
import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.command import Call, bad_call, command
from cli.instance import Refused, Session
from cli.printable import moment, visible
from cli.words import phrase, word
from deploy.embedded.terminal import say

_PERIOD: Final = re.compile(r"(?:19|20|21)[0-9]{2}(?:Q[1-4])?")
_REST_S: Final = 0.1


def register(app: typer.Typer) -> None:
    app.command("close-period")(close_period)


@command
def close_period(
    call: Call,
    period: Annotated[
        str, typer.Argument(metavar="2011|2011Q1", help="A year; a quarter where a scheme has them.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Close nothing; show every move that the close would bring.")
    ] = False,
) -> None:
    """Close a revenue year; a second call changes nothing, and a close is never reopened.

    Returns when the close has been carried out for every holder of a tier. Interrupted, it goes on by itself.
    """
    period = period.strip().upper()
    if _PERIOD.fullmatch(period) is None:
        raise bad_call("cli.close_period.no_period", period=visible(period))
    if dry_run:
        body = {"period": period, "dry_run": True}
        call.show(call.session.post("tiering", "/v1/closes", body), _moves_text)
        return
    close, new = close_and_wait(call.session, period)
    if not new:
        say(phrase("cli.close_period.closed_before", period=period))
    call.show(close, _close_text)


def close_and_wait(session: Session, period: str, *, quiet: bool = False) -> tuple[dict[str, Any], bool]:
    """The close once it is done, and whether it was this call that asked for it."""
    before = _known(session, period)
    if before is not None and before["state"] == "done":
        return before, False
    close = session.post("tiering", "/v1/closes", {"period": period})
    return _follow(session, close, quiet=quiet), before is None


def _known(session: Session, period: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = session.get("tiering", f"/v1/closes/{period}")
    except Refused as refused:
        # Everything else that speaks against it is said by the request itself.
        if refused.problem.get("code") in ("not_closed", "no_quarterly_scheme"):
            return None
        raise
    return found


def _follow(session: Session, close: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = sys.stderr.isatty() and not quiet
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(phrase("cli.close_period.closing", period=close["period"]), total=None)
        while close["state"] != "done":
            if session.remaining() <= 0:
                raise session.gave_up(
                    phrase(
                        "cli.close_period.goes_on",
                        period=close["period"],
                        settled=close["settled"],
                        holders=close["holders"],
                    )
                )
            time.sleep(_REST_S)
            close = session.get("tiering", f"/v1/closes/{close['period']}")
            if close["state"] != "queued":
                bar.update(task, total=close["holders"], completed=close["settled"])
    return close


def _close_text(close: dict[str, Any]) -> str:
    return phrase(
        "cli.close_period.closed",
        period=close["period"],
        moment=moment(close["closed_at"]),
        person=close["requested_by"],
        holders=close["holders"],
        moves=close["moves"],
    )


def _moves_text(rehearsal: dict[str, Any]) -> str:
    moves = rehearsal["moves"]
    lines = [phrase("cli.close_period.would_move", period=rehearsal["period"], moves=len(moves))]
    lines += [
        f"{move['customer_code']:<32} {move['scheme']:<16} {word('tier', move['from_tier']):>10} →"
        f" {word('tier', move['to_tier']):<10} {word('change', move['reason']):<16} {move['effective_on']}"
        f" {move['total']:>16}"
        for move in moves
    ]
    return "\n".join(lines)
