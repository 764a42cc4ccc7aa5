"""`keypost suspense`: transactions that are held back with their reason, and a steward's decision about them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import typer

from cli.command import Call, bad_call, command
from cli.decisions import conclude, decide, number_of
from cli.instance import Session
from cli.printable import moment, shortened, visible
from cli.words import lines_of, phrase, word
from shared.kernel.reasons import HeldReason

_PAGE: Final = 1000
_COMMENT_MAX: Final = 500

Number = Annotated[str, typer.Argument(metavar="N", help="Its number, as `suspense list` shows it.")]
Decision = Literal["keep", "replace", "book", "close"]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Transactions held back until their cause is gone.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show_one)
    group.command("decide")(decide_one)
    app.add_typer(group, name="suspense")


@command
def list_(
    call: Call,
    reason: Annotated[HeldReason | None, typer.Option("--reason", help="Only those held for it.")] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="C", help="Only this customer code, as it was sent.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those booked or closed since.")] = False,
) -> None:
    """List what is held, in the order of arrival; --json prints all of it as one array."""
    items = items_in(call.session, "all" if all_ else "held", reason, code)
    call.show(items, lambda held: _list_text(held, all_))


def items_in(
    session: Session, state: str = "held", reason: HeldReason | None = None, code: str | None = None
) -> list[dict[str, Any]]:
    """All items in one state, through every page."""
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"state": state, "after": "0", "limit": _PAGE}
    if reason is not None:
        asked["reason"] = reason
    if code is not None:
        asked["customer_code"] = code
    while True:
        page = session.get("tiering", "/v1/suspense", params=asked)
        found += page["items"]
        if not page["more"]:
            return found
        asked["after"] = page["next"]


@command
def show_one(call: Call, number: Number) -> None:
    """Show one transaction in suspense, and what may be decided about it."""
    wanted = number_of(number, "cli.suspense.no_number")
    call.show(call.session.get("tiering", f"/v1/suspense/{wanted}"), _item_text)


@command
def decide_one(
    call: Call,
    number: Number,
    decision: Annotated[
        Decision,
        typer.Argument(
            help="keep or replace for a conflict, book or close for a doubted date, close for the rest."
        ),
    ],
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; it is kept with it.")],
) -> None:
    """Decide about one held transaction; it is decided once."""
    wanted = number_of(number, "cli.suspense.no_number")
    if not 1 <= len(comment.strip()) <= _COMMENT_MAX:
        raise bad_call("cli.suspense.comment", longest=_COMMENT_MAX)
    outcome = decide(
        call.session,
        "tiering",
        f"/v1/suspense/{wanted}",
        "decision",
        {"decision": decision, "comment": comment.strip()},
        name=str(wanted),
        wanted=lambda item: bool(item["decision"] == decision),
    )
    conclude(call, [outcome], phrase("cli.suspense.decided", decision=word("suspense_act", decision)))


def _list_text(items: list[dict[str, Any]], with_state: bool) -> str:
    if not items:
        return phrase("cli.suspense.empty" if with_state else "cli.suspense.none_held")
    return "\n".join(
        f"{item['number']:>6} {item['reason']:<17} {visible(item['customer_code']):<14}"
        f" {item['data']['business_date']} {_signed(item['data']):>16} {word('line', item['data']['line']):<11}"
        f" {word('held_state', item['state']) + '  ' if with_state else ''}"
        f"{shortened(visible(item['source'] + ' ' + item['id']), 80)}"
        for item in items
    )


def _signed(data: dict[str, Any]) -> str:
    return f"{'-' if data['kind'] == 'reversal' else ''}{data['amount']}"


def _item_text(item: dict[str, Any]) -> str:
    decided = None
    if item["decided_by"]:
        decided = phrase(
            "cli.suspense.decided_by",
            decision=word("suspense_act", item["decision"]),
            person=item["decided_by"],
            comment=item["comment"] or "",
        )
    possible = [f"{one} ({word('suspense_act', one)})" for one in item["decisions"]]
    lines = [
        f"{item['number']}  {word('held_state', item['state'])}  {word('held', item['reason'])} ({item['reason']})",
        *lines_of(
            [
                ("cli.suspense.identity", f"{item['source']}  {item['id']}"),
                ("cli.suspense.arrived_at", moment(item["arrived_at"])),
                ("cli.suspense.held_at", moment(item["held_at"])),
                ("cli.suspense.ended_at", moment(item["ended_at"]) if item["ended_at"] else None),
                ("cli.suspense.decision", decided),
                ("cli.suspense.possible", ", ".join(possible)),
            ]
        ),
    ]
    lines += [
        f"    {name:<15} {visible(str(value))}" for name, value in item["data"].items() if value is not None
    ]
    return "\n".join(lines)
