"""`keypost windows`: who holds which customer until when; never what a plan says (S3 art.12(2))."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from cli.acts import everything
from cli.command import Call, command
from cli.printable import moment, visible
from cli.words import named, phrase, word

State = Literal["registered", "active", "settling", "succeeded", "expired", "withdrawn"]
"""The phases of a plan in which it has had a window, or is about to."""


def register(app: typer.Typer) -> None:
    app.command()(windows)


@command
def windows(
    call: Call,
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
) -> None:
    """List the exclusive windows in force, settling or about to open; --json prints all of them as one array."""
    found = everything(call.session, "claims", "/v1/windows", customer=customer, unit=unit, state=state)
    call.show(found, lambda rows: "\n".join(map(_row, rows)) or phrase("cli.windows.none"))


def _row(one: dict[str, Any]) -> str:
    until = phrase("cli.until", moment=moment(one["ends_at"]))
    who = one.get("customer_code") or one.get("uscc") or "-"
    return (
        f"{who:<19} {word('plan', one['state']):<12} {one['unit_code']:<14} {until}  {visible(one['name'])}"
        f"  {named(one, 'unit_name')}"
    )
