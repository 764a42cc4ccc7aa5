"""`keypost map`: which customer a counter-local code means, at which counters, and from when to when (REG-10)."""

from __future__ import annotations

from collections.abc import Mapping
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
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit", metavar="U", help="For the counters of this unit. Default: all that are yours."
        ),
    ] = None,
    counter: Annotated[
        str | None, typer.Option("--counter", metavar="ID", help="For this counter alone.")
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
    if unit is not None and counter is not None:
        raise bad_call("cli.map.unit_or_counter")
    scope = {"unit": unit and unit.strip(), "counter": counter}
    if ends is not None:
        call.show(_end(call.session, code, customer, scope, ends, reason), _text)
    elif customer is not None:
        body = {"code": code, "customer_code": customer.strip(), "valid_from": first, "valid_to": last}
        body |= {"unit_code": scope["unit"], "counter_id": scope["counter"]}
        call.show(create(call.session, "registry", _PATH, body), _text)
    else:
        found = everything(call.session, "registry", _PATH, code=code, **scope)
        unmapped = phrase("cli.map.unmapped", code=visible(code))
        call.show(found, lambda mappings: "\n".join(map(_text, mappings)) or unmapped)


def _end(
    session: Session,
    code: str,
    customer: str | None,
    scope: Mapping[str, str | None],
    ends: str,
    reason: str | None,
) -> dict[str, Any]:
    """Ends the mapping that reaches beyond the day named. At the same counters a code means one customer on one day; where
    it is mapped for several units or counters, the caller says which one is meant."""
    found = [
        one
        for one in everything(session, "registry", _PATH, code=code, **scope)
        if (customer is None or one["customer_code"] == customer.strip())
        and (one.get("valid_to") is None or one["valid_to"] > ends)
        and (one.get("valid_from") is None or one["valid_from"] <= ends)
    ]
    if not found:
        raise CommandError(phrase("cli.map.ended_before", code=visible(code), day=ends))
    if len(found) > 1:
        raise CommandError("\n".join([phrase("cli.map.several", code=visible(code)), *map(_text, found)]))
    path = f"{_PATH}/{segment(str(found[0]['id']))}"
    return act(
        session, "registry", path, "end", {"valid_to": ends, "reason": reason}, version=found[0]["version"]
    )


def _text(one: dict[str, Any]) -> str:
    first = one.get("valid_from") or phrase("cli.map.always")
    last = one.get("valid_to") or phrase("cli.map.for_good")
    return f"{visible(one['code'])} → {visible(one['customer_code'])}  {first} – {last}  {_scope(one)}"


def _scope(one: dict[str, Any]) -> str:
    if unit := one.get("unit_code"):
        return phrase("cli.map.of_unit", unit=unit)
    if counter := one.get("counter_id"):
        return phrase("cli.map.of_counter", counter=visible(counter))
    return phrase("cli.map.of_all")
