"""`keypost map`: which customer a counter-local code means, at which counters, and from when to when (REG-10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from cli.acts import act, create, day, everything, needed, segment
from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Session,
    Timeout,
    open_session,
    show,
)
from cli.language import in_language
from cli.printable import visible

_PATH: Final = "/v1/counter-codes"


def register(app: typer.Typer) -> None:
    app.command("map")(map_)


def map_(
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
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Map a counter's code to a customer; transactions that were held for it are then booked by themselves."""
    code = needed(code, "网点客户代码", "a counter's code")
    first, last, ends = day(from_, "--from"), day(to, "--to"), day(end, "--end")
    if ends is not None and (first or last):
        raise CommandError(
            in_language("--end 不与 --from、--to 同用", "--end does not go with --from or --to"),
            Exit.BAD_CALL,
        )
    if ends is not None:
        reason = needed(reason or "", "理由（--reason）", "a reason (--reason)")
    if unit is not None and counter is not None:
        raise CommandError(
            in_language("--unit 与 --counter 不能同用", "--unit and --counter exclude each other"),
            Exit.BAD_CALL,
        )
    scope = {"unit": unit and unit.strip(), "counter": counter}
    session = open_session(data, user, timeout)
    if ends is not None:
        done = _end(session, code, customer, scope, ends, reason)
        show(done, json_, lambda: _text(done))
    elif customer is not None:
        body = {"code": code, "customer_code": customer.strip(), "valid_from": first, "valid_to": last}
        body |= {"unit_code": scope["unit"], "counter_id": scope["counter"]}
        made = create(session, "registry", _PATH, body)
        show(made, json_, lambda: _text(made))
    else:
        found = everything(session, "registry", _PATH, code=code, **scope)
        show(found, json_, lambda: "\n".join(map(_text, found)) or _unmapped(code))


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
        raise CommandError(
            in_language(
                f"{code} 在 {ends} 之后没有有效的对应关系", f"{code} has no mapping that goes on after {ends}"
            )
        )
    if len(found) > 1:
        raise CommandError(
            in_language(
                f"{code} 对应于多个机构或网点，请用 --unit 或 --counter 指明：",
                f"{code} is mapped for several units or counters; name one with --unit or --counter:",
            )
            + "\n"
            + "\n".join(map(_text, found))
        )
    path = f"{_PATH}/{segment(str(found[0]['id']))}"
    return act(
        session, "registry", path, "end", {"valid_to": ends, "reason": reason}, version=found[0]["version"]
    )


def _text(one: dict[str, Any]) -> str:
    first = one.get("valid_from") or in_language("一直", "always")
    last = one.get("valid_to") or in_language("长期", "for good")
    return f"{visible(one['code'])} → {visible(one['customer_code'])}  {first} – {last}  {_scope(one)}"


def _scope(one: dict[str, Any]) -> str:
    if unit := one.get("unit_code"):
        return in_language(f"机构 {unit} 的网点", f"counters of {unit}")
    if counter := one.get("counter_id"):
        return in_language(f"网点 {visible(counter)}", f"counter {visible(counter)}")
    return in_language("所有网点", "all counters")


def _unmapped(code: str) -> str:
    return in_language(f"{code} 没有对应的客户", f"{code} is mapped to nobody")
