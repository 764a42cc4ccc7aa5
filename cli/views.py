"""`keypost views`: build the views anew beside those that serve, or only compare the two (REP-1)."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.idle import wait_idle
from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Session,
    Timeout,
    open_session,
    show,
)
from cli.language import accept_language
from cli.printable import visible
from deploy.embedded.terminal import say

_REST_S: Final = 0.1

Wait = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="First wait until every service has nothing left to do."),
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="The views, which can always be made anew from the topics.", no_args_is_help=True
    )
    group.command("rebuild")(rebuild)
    group.command("compare")(compare)
    app.add_typer(group, name="views")


def rebuild(
    accept: Annotated[
        bool,
        typer.Option(
            "--accept-differences", help="Put the rebuilt views in place even where they differ from the old."
        ),
    ] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Build all views anew while the old ones serve, compare, and let the new ones take over where nothing differs.

    Exit 1 where they differ; then the old ones go on serving.
    """
    session = open_session(data, user, timeout)
    _end(_run(session, {"accept_differences": accept}), json_)


def compare(
    wait: Wait = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Build the views anew beside the old ones and report where they differ; nothing takes over. Exit 1 on differences."""
    session = open_session(data, user, timeout)
    if wait:
        wait_idle(session)
    _end(_run(session, {"compare_only": True}), json_)


def _run(session: Session, body: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = session.post("reporting", "/v1/views/rebuild", body, headers=accept_language())
    columns = (TextColumn("reading the topics"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("records", total=None)
        while asked["finished_at"] is None:
            if session.remaining() <= 0:
                raise CommandError(
                    f"rebuild {asked['id']} is not finished after {session.timeout_s:.0f} s; it goes on by itself",
                    Exit.TIMEOUT,
                )
            time.sleep(_REST_S)
            path = f"/v1/views/rebuilds/{asked['id']}"
            asked = session.get("reporting", path, headers=accept_language())
            bar.update(task, total=asked["records_to_read"], completed=asked["records_read"])
    return asked


def _end(done: dict[str, Any], as_json: bool) -> None:
    show(done, as_json, lambda: text(done))
    if done["state"] == "failed":
        say("the rebuild failed; the log of reporting says where")
    # Differences that were accepted beforehand are what the caller wanted to be rid of.
    if done["state"] == "failed" or (done["report"]["differences"] and not done["report"]["exchanged"]):
        raise typer.Exit(Exit.REFUSED)


def text(done: dict[str, Any]) -> str:
    """A finished rebuild for people."""
    report = done["report"]
    if done["state"] == "failed":
        return f"rebuild {done['id']} failed: {report['error']}"
    lines = [f"{'view':<22} {'rows':>9} {'only old':>9} {'only new':>9} {'differ':>9} {'kept':>9}"]
    for view in report["views"]:
        lines.append(
            f"{view['view']:<22} {view['rows']:>9} {view['only_served']:>9} {view['only_rebuilt']:>9}"
            f" {view['different']:>9} {view['kept_from_expired']:>9}"
        )
        lines += [f"    {visible(example)}" for example in view["examples"]]
    for topic, records in _expired(report).items():
        lines.append(
            f"{topic}: up to {records} records have expired; the rows that came from them were kept from the old views"
        )
    if report["skipped"]:
        lines.append(f"{report['skipped']} records could not be taken; the log of reporting names them")
    lines.append(_ending(done))
    return "\n".join(lines)


def _expired(report: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in report["expired"]:
        found[one["topic"]] = found.get(one["topic"], 0) + int(one["records"])
    return found


def _ending(done: dict[str, Any]) -> str:
    report = done["report"]
    if report["exchanged"]:
        differing = f" in spite of {report['differences']} differences" if report["differences"] else ""
        return f"the rebuilt views have taken over{differing}"
    if done["compare_only"]:
        return f"{report['differences']} differences"
    return f"{report['differences']} differences: the old views go on serving"
