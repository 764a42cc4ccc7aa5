"""The command line keeps its promises: every recorded command still takes its arguments and options, with the same values
and defaults. Whatever is recorded may be added to, never changed.

`python -m tests.unit.cli.test_command_line` prints the table as it is now, to be kept beside this file.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer
from typer.core import TyperArgument

from cli.main import assemble

RECORDED = Path(__file__).with_name("command_line.json")


def commands(command: Any, name: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every command with its parameters, groups with options of their own included."""
    nested: Mapping[str, Any] = getattr(command, "commands", {})
    parameters = [each for each in command.params if each.name != "help"]
    if not nested or parameters:
        yield name, parameters
    for each, inner in nested.items():
        yield from commands(inner, f"{name} {each}".strip())


def described(parameter: Any) -> str:
    """A parameter in one line: its names, what it takes, what it is without being given."""
    argument = isinstance(parameter, TyperArgument)
    parts = [
        "" if argument else "/".join([*parameter.opts, *parameter.secondary_opts]),
        parameter.metavar or "",
        "flag" if getattr(parameter, "is_flag", False) else f"<{_takes(parameter)}>",
        "several" if parameter.nargs != 1 or getattr(parameter, "multiple", False) else "",
        "required" if parameter.required else f"= {_plain(parameter.default)}",
    ]
    return " ".join(part for part in parts if part)


def _takes(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if get_origin(kind) is list:
        return "str"
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if issubclass(kind, enum.Enum):
        return "|".join(str(each.value) for each in kind)
    bounds = (parameter.min, parameter.max)
    return kind.__name__ + ("" if bounds == (None, None) else f" {bounds[0]}..{bounds[1]}")


def _plain(default: Any) -> str:
    return json.dumps(getattr(default, "value", default) if default not in ((), []) else None)


def table() -> dict[str, dict[str, list[str]]]:
    found = commands(typer.main.get_command(assemble()))
    return {
        name: {
            "arguments": [described(each) for each in parameters if isinstance(each, TyperArgument)],
            "options": sorted(described(each) for each in parameters if not isinstance(each, TyperArgument)),
        }
        for name, parameters in found
    }


@pytest.mark.req("PLT-14")
def test_every_command_takes_what_it_was_promised_to_take() -> None:
    now = table()
    for name, promised in json.loads(RECORDED.read_text("utf-8")).items():
        assert name in now, name
        assert now[name]["arguments"] == promised["arguments"], name
        assert set(promised["options"]) <= set(now[name]["options"]), name


if __name__ == "__main__":
    print(json.dumps(table(), indent=1, ensure_ascii=False))
