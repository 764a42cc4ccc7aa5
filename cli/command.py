"""What all commands have in common: their options `--as`, `--data`, `--json` and `--timeout`, and what they are handed.

    @command
    def show_one(call: Call, id_: Id) -> None:
        \"\"\"Show one declaration.\"\"\"
        found = fetch(call.session, "registry", path)
        call.show(found, _text)

A command is a function of its call and of what it takes itself; the common options are added to its line. It prints one
result and ends by returning; every failure is a `CommandError` with its exit code, which `cli.main` turns into a message.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, Literal, ParamSpec, TypeVar, get_args, get_type_hints

import typer

from cli.instance import OPERATOR, PATIENCE_S, CommandError, Exit, Session, open_session
from cli.words import phrase

P = ParamSpec("P")
Value = TypeVar("Value")

_Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="The instance's folder (or KEYPOST_DATA). Default: the last one."
    ),
]
_As = Annotated[str, typer.Option("--as", metavar="USER", help="Who asks.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
_Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="S", min=0, help="Seconds to keep trying; exit code 4 when they are over."
    ),
]

Option = Literal["user", "data", "json", "timeout"]
_OPTIONS: Final[dict[Option, tuple[Any, Any]]] = {
    "user": (_As, OPERATOR),
    "data": (_Data, None),
    "json": (_Json, False),
    "timeout": (_Timeout, PATIENCE_S),
}
"""The type and the default of each common option; the parameter of typer has its name."""


@dataclass(slots=True)
class Call:
    """One call of a command: who asks, on which instance, for how long, and how the result is printed."""

    user: str = OPERATOR
    data: Path | None = None
    json: bool = False
    timeout: float = PATIENCE_S
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """Opened when it is first needed: a bad call is told before a missing instance."""
        if self._session is None:
            self._session = open_session(self.data, self.user, self.timeout)
        return self._session

    def show(self, value: Value, text: Callable[[Value], str]) -> None:
        """Print the result: as JSON where that is asked for, else as text."""
        print(json.dumps(value, ensure_ascii=False) if self.json else text(value), flush=True)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


def command(function: Callable[Concatenate[Call, P], None]) -> Callable[..., None]:
    """A command with all the common options."""
    return command_with(*get_args(Option))(function)


def command_with(
    *options: Option,
) -> Callable[[Callable[Concatenate[Call, P], None]], Callable[..., None]]:
    """A command with some of them: `@command_with("data", "timeout")`."""

    def decorated(function: Callable[Concatenate[Call, P], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(**given: Any) -> None:
            call = Call(**{option: given.pop(option) for option in options if option in given})
            try:
                function(call, **given)  # type: ignore[call-arg]
            finally:
                call.close()

        # typer reads a command's line from its signature and types.
        hints = get_type_hints(function, include_extras=True)
        _call, *own = inspect.signature(function).parameters.values()
        parameters = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name]) for each in own
        ] + [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for option, (kind, default) in ((each, _OPTIONS[each]) for each in options)
        ]
        vars(run)["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorated


def bad_call(key: str, **values: Any) -> CommandError:
    """The end of a command that was called in a way that makes no sense, in words of the catalogue."""
    return CommandError(phrase(key, **values), Exit.BAD_CALL)


def one_of(choices: Any) -> Callable[[str], str]:
    """A parser for an option that is given several times: the values of a Literal and no others. An option that is given once
    simply has the Literal as its type."""
    known: tuple[str, ...] = get_args(choices)

    def parse(text: str) -> str:
        if text not in known:
            raise typer.BadParameter(phrase("cli.not_one_of", text=text, known=list(known)))
        return text

    return parse
