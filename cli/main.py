"""The `keypost` command: every module of this package with a `register(app)` adds its commands."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys

import typer

import cli
from cli.instance import CommandError, Exit
from cli.words import phrase
from deploy.embedded.processes import EngineError
from deploy.embedded.terminal import say

app = typer.Typer(
    name="keypost",
    help="Key accounts of a postal operator: codes, tiers, exclusive windows, views of it all.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def assemble() -> typer.Typer:
    """The application with every command that this checkout has."""
    for module in sorted(part.name for part in pkgutil.iter_modules(cli.__path__)):
        if module in ("main", "__main__", "instance"):
            continue
        register = getattr(importlib.import_module(f"cli.{module}"), "register", None)
        if register is not None:
            register(app)
    return app


def main() -> None:
    """Run one command. Trouble becomes a message on stderr and an exit code, never a traceback."""
    try:
        assemble()(prog_name="keypost")
    except CommandError as problem:
        say(str(problem))
        code: int = problem.code
    except EngineError as problem:
        say(str(problem))
        code = Exit.REFUSED
    except KeyboardInterrupt:
        say(phrase("cli.interrupted"))
        code = 130
    except BrokenPipeError:
        # The reader of our output has had enough, as in `keypost export … | head`.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.DONE
    except OSError as problem:
        # A full disk, a file that may not be read: the system's own words, with the name of the file.
        say(str(problem))
        code = Exit.REFUSED
    except Exception as problem:
        if os.environ.get("KEYPOST_DEBUG"):
            raise
        say(phrase("cli.bug", what=f"{type(problem).__name__}: {problem}"))
        say(phrase("cli.bug_where"))
        code = Exit.REFUSED
    else:
        return
    sys.exit(code)
