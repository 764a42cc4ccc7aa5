"""What the imports of files have in common: their group of commands, the progress shown, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.instance import Exit


class Advance(Protocol):
    """Tells how many more rows are done."""

    def __call__(self, rows: int) -> None: ...


def import_group(app: typer.Typer) -> typer.Typer:
    """The group `keypost import`, made by whichever module comes first."""
    for known in app.registered_groups:
        if known.name == "import" and known.typer_instance is not None:
            return known.typer_instance
    group = typer.Typer(help="Load files: CSV (UTF-8 or GB18030) and XLSX.", no_args_is_help=True)
    app.add_typer(group, name="import")
    return group


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """A bar on stderr; where nobody watches, a line at every tenth of the way."""
    if sys.stderr.isatty():
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda rows: bar.advance(task, rows)
        return
    done = told = 0

    def advance(rows: int) -> None:
        nonlocal done, told
        done += rows
        if total and done * 10 // total > told:
            told = done * 10 // total
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)

    yield advance


def finish(rejected: int) -> None:
    """Ends the command with 0 when all rows were loaded, with 3 when some were rejected."""
    if rejected:
        raise typer.Exit(Exit.PARTLY)
