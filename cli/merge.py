"""`keypost merge`: two codes found to be one customer become one, with three signatures (REG-7)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import typer
from typer.core import TyperGroup

from cli.acts import Version, act, create, everything, fetch, needed, segment
from cli.command import Call, command
from cli.printable import moment, visible
from cli.words import clauses, lines_of, phrase, word

_PATH: Final = "/v1/merges"

Id = Annotated[str, typer.Argument(metavar="ID", help="As `merge list` shows it.")]
State = Literal["proposed", "merged", "refused", "withdrawn"]


class _ProposesByDefault(TyperGroup):
    """`keypost merge SURVIVOR ALIAS` is `keypost merge propose SURVIVOR ALIAS`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["propose", *args]
        return super().resolve_command(ctx, args)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        cls=_ProposesByDefault,
        help="Merge two codes of one customer. `merge SURVIVOR ALIAS --reason TEXT` proposes it.",
        no_args_is_help=True,
    )
    group.command("propose")(propose)
    group.command("sign")(sign)
    group.command("refuse")(refuse)
    group.command("list")(list_)
    group.command("show")(show_one)
    app.add_typer(group, name="merge")


@command
def propose(
    call: Call,
    survivor: Annotated[str, typer.Argument(metavar="SURVIVOR", help="The code that goes on.")],
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="The code that will mean the survivor for ever.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why they are one customer.")],
) -> None:
    """Propose a merge and show its effect; three approvers of three offices then sign it."""
    body = {
        "survivor": needed(survivor, "cli.merge.survivor"),
        "alias": needed(alias, "cli.merge.alias"),
        "reason": needed(reason, "cli.needed_reason"),
    }
    call.show(create(call.session, "registry", _PATH, body), _text)


@command
def sign(
    call: Call,
    id_: Id,
    comment: Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Kept with it.")] = None,
    version: Version = None,
) -> None:
    """Sign a merge, as an approver other than its requester; with the third signature it is carried out."""
    call.show(act(call.session, "registry", _one(id_), "sign", {"comment": comment}, version=version), _text)


@command
def refuse(
    call: Call,
    id_: Id,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with it.")],
    version: Version = None,
) -> None:
    """Refuse a merge as an approver, or withdraw one's own proposal: that ends it."""
    body = {"reason": needed(reason, "cli.needed_reason")}
    call.show(act(call.session, "registry", _one(id_), "refuse", body, version=version), _text)


@command
def list_(
    call: Call,
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
) -> None:
    """List merges; --json prints all of them as one array."""
    found = everything(call.session, "registry", _PATH, state=state)
    call.show(found, lambda merges: "\n".join(map(_head, merges)) or phrase("cli.merge.none"))


@command
def show_one(call: Call, id_: Id) -> None:
    """Show one merge: both customers, the effect on them, and who has signed."""
    call.show(fetch(call.session, "registry", _one(id_))[0], _text)


def _one(id_: str) -> str:
    return f"{_PATH}/{segment(needed(id_, 'cli.merge.id'))}"


def _head(merge: dict[str, Any]) -> str:
    return f"{merge['id']}  {word('merge', merge['state'])}  {visible(merge['alias'])} → {visible(merge['survivor'])}"


def _text(merge: dict[str, Any]) -> str:
    asked_at = moment(merge["requested_at"]) if merge.get("requested_at") else None
    rows = [
        _head(merge),
        *lines_of(
            [
                ("cli.label.reason", merge.get("reason")),
                ("cli.merge.requested_by", merge.get("requested_by") or merge.get("requester")),
                ("cli.merge.requested_at", asked_at),
            ]
        ),
    ]
    rows += [
        "  " + phrase("cli.merge.signed", person=visible(one["person"]), moment=moment(one["signed_at"]))
        for one in merge.get("signatures") or []
    ]
    preview = merge.get("preview") or {}
    for when, key in (("before", "cli.merge.before"), ("after", "cli.merge.after")):
        rows += [
            f"  {phrase(key)}  {_customer(preview[when][part])}"
            for part in ("survivor", "alias")
            if part in (preview.get(when) or {})
        ]
    rows += [
        "  " + phrase("cli.merge.warning", warning=word("merge_warning", one))
        for one in preview.get("warnings") or []
    ]
    return "\n".join(rows)


def _customer(one: dict[str, Any]) -> str:
    """One of the two customers in a line: what it is, and what belongs to it."""
    parts = [
        f"{one.get('customer_code')} {visible(one.get('name') or '')}",
        one.get("unit_code") or "",
        word("status", one["status"]) if one.get("status") else "",
        _those("cli.merge.agreements", [each["agreement_no"] for each in one.get("agreements") or []]),
        _those("cli.merge.counter_codes", [each["code"] for each in one.get("counter_codes") or []]),
        _those("cli.merge.aliases", list(one.get("aliases") or [])),
    ]
    return clauses([part for part in parts if part])


def _those(key: str, names: list[str]) -> str:
    return f"{phrase(key)} {' '.join(visible(name) for name in names)}" if names else ""
