"""`keypost views`: build the views anew beside those that serve, or only compare the two (REP-1)."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.command import Call, command
from cli.idle import wait_idle
from cli.instance import Exit, Session
from cli.printable import visible
from cli.words import phrase
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


@command
def rebuild(
    call: Call,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept-differences", help="Put the rebuilt views in place even where they differ from the old."
        ),
    ] = False,
) -> None:
    """Build all views anew while the old ones serve, compare, and let the new ones take over where nothing differs.

    Exit 1 where they differ; then the old ones go on serving.
    """
    _end(call, _run(call.session, {"accept_differences": accept}))


@command
def compare(call: Call, wait: Wait = False) -> None:
    """Build the views anew beside the old ones and report where they differ; nothing takes over. Exit 1 on differences."""
    if wait:
        wait_idle(call.session)
    _end(call, _run(call.session, {"compare_only": True}))


def _run(session: Session, body: dict[str, Any]) -> dict[str, Any]:
    build: dict[str, Any] = session.post("reporting", "/v1/views/rebuild", body)
    columns = (TextColumn(phrase("cli.views.reading")), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("records", total=None)
        while build["finished_at"] is None:
            if session.remaining() <= 0:
                raise session.gave_up(phrase("cli.views.goes_on", id=build["id"]))
            time.sleep(_REST_S)
            build = session.get("reporting", f"/v1/views/rebuilds/{build['id']}")
            bar.update(task, total=build["records_to_read"], completed=build["records_read"])
    return build


def _end(call: Call, done: dict[str, Any]) -> None:
    call.show(done, text)
    if done["state"] == "failed":
        say(phrase("cli.views.see_log"))
    # Differences that were accepted beforehand are what the caller wanted to be rid of.
    if done["state"] == "failed" or (done["report"]["differences"] and not done["report"]["exchanged"]):
        raise typer.Exit(Exit.REFUSED)


def text(done: dict[str, Any]) -> str:
    """A finished rebuild for people."""
    report = done["report"]
    if done["state"] == "failed":
        return phrase("cli.views.failed", id=done["id"], why=report["error"])
    lines = [phrase("cli.views.columns")]
    for view in report["views"]:
        lines.append(
            f"{view['view']:<22} {view['rows']:>9} {view['only_served']:>9} {view['only_rebuilt']:>9}"
            f" {view['different']:>9} {view['kept_from_expired']:>9}"
        )
        lines += [f"    {visible(example)}" for example in view["examples"]]
    for topic, records in _expired(report).items():
        lines.append(phrase("cli.views.expired", topic=topic, records=records))
    if report["skipped"]:
        lines.append(phrase("cli.views.skipped", records=report["skipped"]))
    lines.append(_ending(done))
    return "\n".join(lines)


def _expired(report: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in report["expired"]:
        found[one["topic"]] = found.get(one["topic"], 0) + int(one["records"])
    return found


def _ending(done: dict[str, Any]) -> str:
    report = done["report"]
    differences = report["differences"]
    if report["exchanged"]:
        key = "cli.views.taken_over_despite" if differences else "cli.views.taken_over"
    else:
        key = "cli.views.compared" if done["compare_only"] else "cli.views.kept"
    return phrase(key, differences=differences)
