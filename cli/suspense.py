"""`keypost suspense`: transactions that are held back with their reason, and a steward's decision about them."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final

import typer

from cli.decisions import conclude, decide, number_of
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
from cli.language import accept_language
from cli.printable import moment, shortened, visible
from shared.contracts.tiering_v1 import HeldReason

_PAGE: Final = 1000
_COMMENT_MAX: Final = 500

Number = Annotated[str, typer.Argument(metavar="N", help="Its number, as `suspense list` shows it.")]


class Decision(enum.StrEnum):
    KEEP = "keep"
    REPLACE = "replace"
    BOOK = "book"
    CLOSE = "close"


class Reason(enum.StrEnum):
    """Why a transaction is held; the words of the contract."""

    UNKNOWN_CODE = "unknown_code"
    BAD_CHECK_DIGIT = "bad_check_digit"
    RETIRED_CODE = "retired_code"
    CONFLICT = "conflict"
    OVER_REVERSAL = "over_reversal"
    REVERSAL_MISMATCH = "reversal_mismatch"
    SALE_UNKNOWN = "sale_unknown"
    FUTURE_DATE = "future_date"
    YEAR_TOO_OLD = "year_too_old"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Transactions held back until their cause is gone.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show_one)
    group.command("decide")(decide_one)
    app.add_typer(group, name="suspense")


def list_(
    reason: Annotated[Reason | None, typer.Option("--reason", help="Only those held for it.")] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="C", help="Only this customer code, as it was sent.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those booked or closed since.")] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """List what is held, in the order of arrival; --json prints all of it as one array."""
    session = open_session(data, user, timeout)
    items = listed(session, "all" if all_ else "held", reason and reason.value, code)
    show(items, json_, lambda: _list_text(items, all_))


def listed(
    session: Session, state: str = "held", reason: HeldReason | str | None = None, code: str | None = None
) -> list[dict[str, Any]]:
    """All items in one state, through every page."""
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"state": state, "after": "0", "limit": _PAGE}
    if reason is not None:
        asked["reason"] = reason
    if code is not None:
        asked["customer_code"] = code
    while True:
        page = session.get("tiering", "/v1/suspense", params=asked, headers=accept_language())
        found += page["items"]
        if not page["more"]:
            return found
        asked["after"] = page["next"]


def show_one(
    number: Number,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Show one transaction in suspense, and what may be decided about it."""
    wanted = number_of(number, "a held transaction")
    session = open_session(data, user, timeout)
    item = session.get("tiering", f"/v1/suspense/{wanted}", headers=accept_language())
    show(item, json_, lambda: _item_text(item))


def decide_one(
    number: Number,
    decision: Annotated[
        Decision,
        typer.Argument(
            help="keep or replace for a conflict, book or close for a doubted date, close for the rest."
        ),
    ],
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; it is kept with it.")],
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Decide about one held transaction; it is decided once."""
    wanted = number_of(number, "a held transaction")
    if not 1 <= len(comment.strip()) <= _COMMENT_MAX:
        raise CommandError(f"--comment takes 1 to {_COMMENT_MAX} characters", Exit.BAD_CALL)
    outcome = decide(
        open_session(data, user, timeout),
        "tiering",
        f"/v1/suspense/{wanted}",
        "decision",
        {"decision": decision.value, "comment": comment.strip()},
        name=str(wanted),
        wanted=lambda item: bool(item["decision"] == decision.value),
    )
    conclude([outcome], f"decided: {decision.value}", json_)


def _list_text(items: list[dict[str, Any]], with_state: bool) -> str:
    if not items:
        return "nothing in suspense" if with_state else "nothing is held"
    return "\n".join(
        f"{item['number']:>6} {item['reason']:<17} {visible(item['customer_code']):<14}"
        f" {item['data']['business_date']} {_signed(item['data']):>16} {item['data']['line']:<11}"
        f" {item['state'] + '  ' if with_state else ''}"
        f"{shortened(visible(item['source'] + ' ' + item['id']), 80)}"
        for item in items
    )


def _signed(data: dict[str, Any]) -> str:
    return f"{'-' if data['kind'] == 'reversal' else ''}{data['amount']}"


def _item_text(item: dict[str, Any]) -> str:
    lines = [
        f"{item['number']}  {item['state']}: {item['reason']}",
        f"identity   {visible(item['source'])}  {visible(item['id'])}",
        f"arrived    {moment(item['arrived_at'])}, held at {moment(item['held_at'])}",
    ]
    if item["ended_at"]:
        lines.append(f"ended      {moment(item['ended_at'])}")
    if item["decided_by"]:
        lines.append(
            f"decided    {item['decision']} by {item['decided_by']}: {visible(item['comment'] or '')}"
        )
    lines += [
        f"  {name:<15} {visible(str(value))}" for name, value in item["data"].items() if value is not None
    ]
    if item["decisions"]:
        lines.append(f"possible   {', '.join(item['decisions'])}")
    return "\n".join(lines)
