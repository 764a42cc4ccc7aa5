"""`keypost windows`: who holds which customer until when; never what a plan says (S3 art.12(2))."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import typer

from cli.acts import everything
from cli.instance import OPERATOR, PATIENCE_S, As, Data, Json, Timeout, open_session, show
from cli.language import in_language
from cli.printable import moment, visible
from cli.words import word


class State(enum.StrEnum):
    REGISTERED = "registered"
    ACTIVE = "active"
    SETTLING = "settling"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


def register(app: typer.Typer) -> None:
    app.command()(windows)


def windows(
    customer: Annotated[
        str | None,
        typer.Argument(
            metavar="CUSTOMER", help="Only this customer's: its code, or uscc: and its credit code."
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", metavar="U", help="Only those held by this unit and those below it."),
    ] = None,
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """List the exclusive windows in force, settling or about to open; --json prints all of them as one array."""
    session = open_session(data, user, timeout)
    found = everything(
        session, "claims", "/v1/windows", customer=customer, unit=unit, state=state and state.value
    )
    show(found, json_, lambda: "\n".join(map(_row, found)) or in_language("没有独家开发期", "no windows"))


def _row(one: dict[str, Any]) -> str:
    holder = in_language(one["unit_name_zh"], one["unit_name_en"])
    until = in_language("至 ", "until ") + moment(one["ends_at"])
    who = one.get("customer_code") or one.get("uscc") or "-"
    return (
        f"{who:<19} {word(one['state']):<12} {one['unit_code']:<14} {until}  {visible(one['name'])}  {holder}"
    )
