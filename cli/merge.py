"""`keypost merge`: two codes found to be one customer become one, with three signatures (REG-7)."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from cli.acts import Version, act, create, everything, fetch, needed, segment
from cli.instance import OPERATOR, PATIENCE_S, As, Data, Json, Timeout, open_session, show
from cli.language import in_language
from cli.printable import moment, visible
from cli.words import lines_of, word

_PATH: Final = "/v1/merges"

Id = Annotated[str, typer.Argument(metavar="ID", help="As `merge list` shows it.")]


class State(enum.StrEnum):
    PROPOSED = "proposed"
    MERGED = "merged"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


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


def propose(
    survivor: Annotated[str, typer.Argument(metavar="SURVIVOR", help="The code that goes on.")],
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="The code that will mean the survivor for ever.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why they are one customer.")],
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Propose a merge and show its effect; three approvers of three offices then sign it."""
    body = {
        "survivor": needed(survivor, "保留代码", "the survivor's code"),
        "alias": needed(alias, "并入代码", "the alias's code"),
        "reason": needed(reason, "理由（--reason）", "a reason (--reason)"),
    }
    made = create(open_session(data, user, timeout), "registry", _PATH, body)
    show(made, json_, lambda: _text(made))


def sign(
    id_: Id,
    comment: Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Kept with it.")] = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Sign a merge, as an approver other than its requester; with the third signature it is carried out."""
    session = open_session(data, user, timeout)
    done = act(session, "registry", _one(id_), "sign", {"comment": comment}, version=version)
    show(done, json_, lambda: _text(done))


def refuse(
    id_: Id,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with it.")],
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Refuse a merge as an approver, or withdraw one's own proposal: that ends it."""
    body = {"reason": needed(reason, "理由（--reason）", "a reason (--reason)")}
    session = open_session(data, user, timeout)
    done = act(session, "registry", _one(id_), "refuse", body, version=version)
    show(done, json_, lambda: _text(done))


def list_(
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """List merges; --json prints all of them as one array."""
    session = open_session(data, user, timeout)
    found = everything(session, "registry", _PATH, state=state and state.value)
    show(found, json_, lambda: "\n".join(map(_head, found)) or in_language("没有合并申请", "no merges"))


def show_one(
    id_: Id, user: As = OPERATOR, data: Data = None, json_: Json = False, timeout: Timeout = PATIENCE_S
) -> None:
    """Show one merge: both customers, the effect on them, and who has signed."""
    found, _tag = fetch(open_session(data, user, timeout), "registry", _one(id_))
    show(found, json_, lambda: _text(found))


def _one(id_: str) -> str:
    return f"{_PATH}/{segment(needed(id_, '合并编号', 'the id of a merge'))}"


def _head(told: dict[str, Any]) -> str:
    return f"{told['id']}  {word(told['state'])}  {visible(told['alias'])} → {visible(told['survivor'])}"


def _text(told: dict[str, Any]) -> str:
    rows = [
        _head(told),
        *lines_of(
            [
                ("理由", "reason", told.get("reason")),
                ("申请人", "proposed by", told.get("requested_by") or told.get("requester")),
                (
                    "申请时间",
                    "proposed at",
                    moment(told["requested_at"]) if told.get("requested_at") else None,
                ),
            ]
        ),
    ]
    rows += [
        "  " + in_language("签署 ", "signed ") + visible(one["person"]) + "  " + moment(one["signed_at"])
        for one in told.get("signatures") or []
    ]
    preview = told.get("preview") or {}
    for when, zh, en in (("before", "合并前", "before"), ("after", "合并后", "after")):
        rows += [
            f"  {in_language(zh, en)}  {_customer(preview[when][part])}"
            for part in ("survivor", "alias")
            if part in (preview.get(when) or {})
        ]
    rows += [f"  {in_language('注意：', 'note: ')}{word(one)}" for one in preview.get("warnings") or []]
    return "\n".join(rows)


def _customer(one: dict[str, Any]) -> str:
    """One of the two customers in a line: what it is, and what belongs to it."""
    parts = [
        f"{one.get('customer_code')} {visible(one.get('name') or '')}",
        one.get("unit_code") or "",
        word(one["status"]) if one.get("status") else "",
        _those("协议", "agreements", [each["agreement_no"] for each in one.get("agreements") or []]),
        _those("网点代码", "counter codes", [each["code"] for each in one.get("counter_codes") or []]),
        _those("并入代码", "aliases", list(one.get("aliases") or [])),
    ]
    return in_language("，", ", ").join(part for part in parts if part)


def _those(zh: str, en: str, names: list[str]) -> str:
    return f"{in_language(zh, en)} {' '.join(visible(name) for name in names)}" if names else ""
