"""`keypost agreement`: service agreements signed and ended (REG-20)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.acts import Lines, Version, act, day, lines, needed, segment, today
from cli.command import Call, command
from cli.printable import visible
from cli.words import phrase, word, words

Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's code.")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The agreement's number.")]
EndsOn = Annotated[str | None, typer.Option("--ends-on", metavar="DATE", help="Its last day.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Service agreements: sign and end them.", no_args_is_help=True)
    group.command("sign")(sign)
    group.command("end")(end)
    app.add_typer(group, name="agreement")


@command
def sign(
    call: Call,
    customer: Customer,
    number: Number,
    signed_on: Annotated[
        str | None, typer.Option("--signed-on", metavar="DATE", help="Default: the instance's today.")
    ] = None,
    ends_on: EndsOn = None,
    line: Lines = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="U", help="The unit that signs. Default: the customer's.")
    ] = None,
    version: Version = None,
) -> None:
    """Record a signed agreement. The same one again changes nothing; without --line it covers all lines."""
    path, agreement_no = _path(customer), needed(number, "cli.agreement.number")
    body = {
        "agreement_no": agreement_no,
        "ends_on": day(ends_on, "--ends-on"),
        "lines": lines(line),
        "unit_code": unit,
        "signed_on": day(signed_on, "--signed-on"),
    }
    body["signed_on"] = body["signed_on"] or today(call.session)
    done = act(call.session, "registry", path, "agreements", body, version=version)
    call.show(done, lambda customer: _text(customer, agreement_no))


@command
def end(
    call: Call,
    customer: Customer,
    number: Number,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with it.")],
    ends_on: EndsOn = None,
    now: Annotated[
        bool, typer.Option("--now", help="End it at once, not when its last day is over.")
    ] = False,
    version: Version = None,
) -> None:
    """End an agreement on its last day, which is today unless --ends-on names another."""
    path, agreement_no = _path(customer), needed(number, "cli.agreement.number")
    body = {
        "agreement_no": agreement_no,
        "ends_on": day(ends_on, "--ends-on"),
        "reason": needed(reason, "cli.needed_reason"),
        "now": now or None,
    }
    done = act(call.session, "registry", path, "agreements/end", body, version=version)
    call.show(done, lambda customer: _text(customer, agreement_no))


def _path(customer: str) -> str:
    return f"/v1/customers/{segment(needed(customer, 'cli.needed_customer'))}"


def _text(customer: dict[str, Any], number: str) -> str:
    """The customer after the act, with the agreement in question first."""
    head = f"{customer.get('customer_code', '')}  {visible(str(customer.get('name') or ''))}".strip()
    agreements = sorted(customer.get("agreements") or [], key=lambda one: one["agreement_no"] != number)
    return "\n".join([head, *(_agreement(one) for one in agreements)])


def _agreement(one: dict[str, Any]) -> str:
    text = f"  {visible(one['agreement_no'])}  {word('agreement', one['state'])}  {one['signed_on']} – "
    text += one.get("ended_on") or one.get("ends_on") or phrase("cli.agreement.open_ended")
    return f"{text}  {words('line', one['lines'])}" if one.get("lines") else text
