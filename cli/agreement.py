"""`keypost agreement`: service agreements signed and ended (REG-20)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.acts import Lines, Version, act, day, lines, needed, segment, today
from cli.instance import OPERATOR, PATIENCE_S, As, Data, Json, Timeout, open_session, show
from cli.language import in_language
from cli.printable import visible
from cli.words import word, words

Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's code.")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The agreement's number.")]
EndsOn = Annotated[str | None, typer.Option("--ends-on", metavar="DATE", help="Its last day.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Service agreements: sign and end them.", no_args_is_help=True)
    group.command("sign")(sign)
    group.command("end")(end)
    app.add_typer(group, name="agreement")


def sign(
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
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Record a signed agreement. The same one again changes nothing; without --line it covers all lines."""
    code, agreement_no = _named(customer, number)
    body = {
        "agreement_no": agreement_no,
        "ends_on": day(ends_on, "--ends-on"),
        "lines": lines(line),
        "unit_code": unit,
    }
    on = day(signed_on, "--signed-on")
    session = open_session(data, user, timeout)
    body["signed_on"] = on or today(session)
    done = act(session, "registry", f"/v1/customers/{segment(code)}", "agreements", body, version=version)
    show(done, json_, lambda: _text(done, agreement_no))


def end(
    customer: Customer,
    number: Number,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with it.")],
    ends_on: EndsOn = None,
    now: Annotated[
        bool, typer.Option("--now", help="End it at once, not when its last day is over.")
    ] = False,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """End an agreement on its last day, which is today unless --ends-on names another."""
    code, agreement_no = _named(customer, number)
    body = {
        "agreement_no": agreement_no,
        "ends_on": day(ends_on, "--ends-on"),
        "reason": needed(reason, "理由（--reason）", "a reason (--reason)"),
        "now": now or None,
    }
    session = open_session(data, user, timeout)
    path = f"/v1/customers/{segment(code)}"
    done = act(session, "registry", path, "agreements/end", body, version=version)
    show(done, json_, lambda: _text(done, agreement_no))


def _named(customer: str, number: str) -> tuple[str, str]:
    return needed(customer, "客户代码", "a customer's code"), needed(
        number, "协议编号", "an agreement's number"
    )


def _text(told: dict[str, Any], number: str) -> str:
    """The customer after the act, with the agreement in question first."""
    head = f"{told.get('customer_code', '')}  {visible(str(told.get('name') or ''))}".strip()
    agreements = sorted(told.get("agreements") or [], key=lambda one: one["agreement_no"] != number)
    return "\n".join([head, *(_agreement(one) for one in agreements)])


def _agreement(one: dict[str, Any]) -> str:
    text = f"  {visible(one['agreement_no'])}  {word(one['state'])}  {one['signed_on']} – "
    text += one.get("ended_on") or one.get("ends_on") or in_language("长期", "open-ended")
    return f"{text}  {words(one['lines'])}" if one.get("lines") else text
