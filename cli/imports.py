"""What the imports of files have in common: their group of commands, the progress shown, and how they end."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.command import bad_call
from cli.instance import Exit
from cli.tabular import Table
from cli.words import phrase
from deploy.embedded.terminal import say

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="CSV or XLSX with a header row.", show_default=False)
]
SheetName = Annotated[
    str | None,
    typer.Option(
        "--sheet", metavar="NAME", help="Which sheet of a workbook. Default: the first with the columns."
    ),
]
Template = Annotated[
    bool, typer.Option("--template", help="Print the columns with an example row in both languages.")
]
SHOWN_MAX: Final = 20


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
    done = tenths = 0

    def advance(rows: int) -> None:
        nonlocal done, tenths
        done += rows
        if total and done * 10 // total > tenths:
            tenths = done * 10 // total
            say(phrase("cli.import.progress", what=what, done=done, total=total))

    yield advance


def print_template(rows: Iterable[Sequence[str]]) -> None:
    """The columns with an example row in English, then in Chinese: each pair of lines is a file."""
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)


def wanted_file(file: Path | None) -> Path:
    """The file of the call. Raises CommandError where there is none."""
    if file is None:
        raise bad_call("cli.import.which")
    return file


def say_notices(table: Table) -> None:
    """What of the file is not read, before anything is sent."""
    for notice in table.notices:
        say(notice)


def finish(partly: bool) -> None:
    """Ends the command with 0 when all rows were loaded, with 3 when some were not."""
    if partly:
        raise typer.Exit(Exit.PARTLY)
