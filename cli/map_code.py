"""`keypost map`: which customer a counter-local code means, and from when to when (REG-10)."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from cli.acts import act, create, day, everything, needed, segment
from cli.command import Call, bad_call, command
from cli.instance import CommandError, Session
from cli.printable import visible
from cli.words import phrase

_PATH: Final = "/v1/counter-codes"


def register(app: typer.Typer) -> None:
    app.command("map")(map_)


@command
def map_(
    call: Call,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The counter's own code.")],
    customer: Annotated[
        str | None,
        typer.Argument(metavar="CUSTOMER", help="The customer it means; left out, its mappings are shown."),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first business date. Default: always.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last business date. Default: for good.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="DATE", help="End its present mapping with this day.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why it ends; goes with --end.")
    ] = None,
) -> None:
    """Map a counter's code to a customer; transactions that were held for it are then booked by themselves."""
    code = needed(code, "cli.map.code")
    first, last, ends = day(from_, "--from"), day(to, "--to"), day(end, "--end")
    if ends is not None and (first or last):
        raise bad_call("cli.map.end_alone")
    if ends is not None:
        reason = needed(reason, "cli.needed_reason")
        call.show(_end(call.session, code, customer, ends, reason), _text)
    elif customer is not None:
        body = {"code": code, "customer_code": customer.strip(), "valid_from": first, "valid_to": last}
        call.show(create(call.session, "registry", _PATH, body), _text)
    else:
        found = everything(call.session, "registry", _PATH, code=code)
        unmapped = phrase("cli.map.unmapped", code=visible(code))
        call.show(found, lambda mappings: "\n".join(map(_text, mappings)) or unmapped)


def _end(session: Session, code: str, customer: str | None, ends: str, reason: str) -> dict[str, Any]:
    """Ends the mapping that reaches beyond the day named: a code means one customer on one day, so there is one."""
    found = [
        one
        for one in everything(session, "registry", _PATH, code=code)
        if (customer is None or one["customer_code"] == customer.strip())
        and (one.get("valid_to") is None or one["valid_to"] > ends)
        and (one.get("valid_from") is None or one["valid_from"] <= ends)
    ]
    if not found:
        raise CommandError(phrase("cli.map.ended_before", code=visible(code), day=ends))
    path = f"{_PATH}/{segment(str(found[0]['id']))}"
    return act(
        session, "registry", path, "end", {"valid_to": ends, "reason": reason}, version=found[0]["version"]
    )


def _text(one: dict[str, Any]) -> str:
    first = one.get("valid_from") or phrase("cli.map.always")
    last = one.get("valid_to") or phrase("cli.map.for_good")
    return f"{visible(one['code'])} → {visible(one['customer_code'])}  {first} – {last}"
