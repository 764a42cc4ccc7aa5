"""`keypost plan`: development plans, from their filing to the window and its end (CLM-1 to CLM-9)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from cli.acts import (
    Lines,
    ManagerA,
    ManagerB,
    Revenue,
    UnderUnit,
    Unit,
    Version,
    act,
    change,
    create,
    day,
    everything,
    fetch,
    given,
    lines,
    needed,
    segment,
    yuan,
)
from cli.command import Call, bad_call, command
from cli.grants import unit_of
from cli.plan_texts import full_text, list_text
from shared.contracts.claims_v1 import PlanKind, PlanPhase, Stage

_PATH: Final = "/v1/plans"
_FILERS: Final = ("manager", "reviewer", "centre")

Id = Annotated[str, typer.Argument(metavar="ID", help="As `plan list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with it.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What was done or found.")]
Evidence = Annotated[
    list[str] | None,
    typer.Option(
        "--evidence", metavar="TEXT", help="What shows it: a letter, a file; may be given several times."
    ),
]
Margin = Annotated[
    str | None, typer.Option("--margin", metavar="YUAN", help="Expected margin a year, such as 20000.00.")
]
Text = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="The plan itself.")]
TextFile = Annotated[
    Path | None, typer.Option("--text-file", metavar="FILE", help="The plan itself, from a file (UTF-8).")
]


Festival = Literal["mid_autumn", "new_year", "spring_festival"]
Review = Literal["register", "refuse"]
Judgement = Literal["significant", "not-significant"]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Development plans, and the exclusive windows they are given.", no_args_is_help=True
    )
    group.command("file")(file)
    group.command("edit")(edit)
    group.command("submit")(submit)
    group.command("review")(review)
    group.command("progress")(progress)
    group.command("judge")(judge)
    group.command("extend")(extend)
    group.command("withdraw")(withdraw)
    group.command("list")(list_)
    group.command("show")(show_one)
    app.add_typer(group, name="plan")


@command
def file(
    call: Call,
    customer: Annotated[
        str | None, typer.Argument(metavar="CUSTOMER", help="The customer's code; none for a prospect.")
    ] = None,
    prospect_uscc: Annotated[
        str | None, typer.Option("--prospect-uscc", metavar="CODE", help="A prospect's credit code.")
    ] = None,
    prospect_name: Annotated[
        str | None, typer.Option("--prospect-name", metavar="TEXT", help="A prospect's name.")
    ] = None,
    line: Lines = None,
    text: Text = None,
    text_file: TextFile = None,
    revenue: Revenue = None,
    margin: Margin = None,
    kind: Annotated[
        PlanKind, typer.Option("--kind", help="A festival plan's window is shorter and lies in its season.")
    ] = "regular",
    festival: Annotated[
        Festival | None, typer.Option("--festival", help="Which one; goes with --kind festival.")
    ] = None,
    manager_a: ManagerA = None,
    manager_b: ManagerB = None,
    opens_on: Annotated[
        str | None,
        typer.Option("--opens-on", metavar="DATE", help="Default: the window opens at registration."),
    ] = None,
    unit: Unit = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Wait where another unit holds the customer's window.")
    ] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Keep it as a draft; submit it later.")] = False,
) -> None:
    """File a plan to develop a customer, or a prospect known by credit code and name. Manager A is by default the user."""
    body = _fields(line, text, text_file, revenue, margin, manager_a, manager_b, opens_on)
    if (customer is None) == (prospect_uscc is None and prospect_name is None):
        raise bad_call("cli.plan.whose")
    if customer is not None:
        body["customer_code"] = needed(customer, "cli.needed_customer")
    else:
        body["prospect"] = {
            "uscc": needed(prospect_uscc, "cli.plan.prospect_uscc"),
            "name": needed(prospect_name, "cli.plan.prospect_name"),
        }
    if (kind == "festival") != (festival is not None):
        raise bad_call("cli.plan.festival")
    needed(body.get("plan_text"), "cli.plan.text")
    body.setdefault("manager_a", call.session.user)
    body.setdefault("lines", [])
    body["unit_code"] = unit or unit_of(call.session.token(), _FILERS)
    body |= {"kind": kind, "queue": queue, "submit": not draft, "festival": festival}
    call.show(create(call.session, "claims", _PATH, body), full_text)


@command
def edit(
    call: Call,
    id_: Id,
    line: Lines = None,
    text: Text = None,
    text_file: TextFile = None,
    revenue: Revenue = None,
    margin: Margin = None,
    manager_a: ManagerA = None,
    manager_b: ManagerB = None,
    opens_on: Annotated[str | None, typer.Option("--opens-on", metavar="DATE")] = None,
    version: Version = None,
) -> None:
    """Change a draft; `plan submit` then hands it in."""
    body = _fields(line, text, text_file, revenue, margin, manager_a, manager_b, opens_on)
    if not body:
        raise bad_call("cli.nothing_to_change")
    call.show(change(call.session, "claims", _one(id_), body, version=version), full_text)


@command
def submit(
    call: Call,
    id_: Id,
    version: Version = None,
) -> None:
    """Hand in a draft for review."""
    _act(call, id_, "submit", {}, version)


@command
def review(
    call: Call,
    id_: Id,
    decision: Annotated[Review, typer.Argument(help="register opens the window; or refuse.")],
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; needed to refuse.")
    ] = None,
    version: Version = None,
) -> None:
    """Review a plan at the centre. Registered, its exclusive window opens; one customer has one window at a time."""
    if decision == "refuse":
        needed(reason, "cli.needed_reason")
    _act(call, id_, "review", {"decision": decision, "reason": reason}, version)


@command
def progress(
    call: Call,
    id_: Id,
    stage: Annotated[Stage, typer.Argument(help="How far it is.")],
    note: Note,
    evidence: Evidence = None,
    version: Version = None,
) -> None:
    """Report progress in a window, as its holder."""
    body = {"stage": stage, "note": needed(note, "cli.plan.note"), "evidence": evidence or None}
    _act(call, id_, "progress", body, version)


@command
def judge(
    call: Call,
    id_: Id,
    judgement: Annotated[Judgement, typer.Argument(help="Whether the progress is significant.")],
    note: Note,
    version: Version = None,
) -> None:
    """Judge the progress in a window, as the centre, with guidance to the holder."""
    body = {"significant": judgement == "significant", "note": needed(note, "cli.plan.note")}
    _act(call, id_, "judge", body, version)


@command
def extend(
    call: Call,
    id_: Id,
    until: Annotated[str, typer.Argument(metavar="DATE", help="The window's new last day.")],
    reason: Reason,
    evidence: Annotated[
        list[str],
        typer.Option("--evidence", metavar="TEXT", help="Evidence of work; may be given several times."),
    ],
    version: Version = None,
) -> None:
    """Extend a window once, as the centre, for significant progress."""
    body = {
        "until": day(until, "DATE"),
        "reason": needed(reason, "cli.needed_reason"),
        "evidence": evidence,
    }
    _act(call, id_, "extend", body, version)


@command
def withdraw(
    call: Call,
    id_: Id,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Kept with it.")] = None,
    version: Version = None,
) -> None:
    """Withdraw a plan; its window, if it has one, is released."""
    _act(call, id_, "withdraw", {"reason": reason}, version)


@command
def list_(
    call: Call,
    state: Annotated[PlanPhase | None, typer.Option("--state", help="Only those in this state.")] = None,
    unit: UnderUnit = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="CODE", help="Only this customer's.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that one filed or manages.")] = False,
) -> None:
    """List plans; --json prints all of them as one array."""
    found = everything(
        call.session, "claims", _PATH, state=state, unit=unit, customer=customer, mine=mine or None
    )
    call.show(found, list_text)


@command
def show_one(call: Call, id_: Id) -> None:
    """Show one plan, its window and its progress."""
    call.show(fetch(call.session, "claims", _one(id_))[0], full_text)


def _one(id_: str) -> str:
    return f"{_PATH}/{segment(needed(id_, 'cli.plan.id'))}"


def _act(call: Call, id_: str, verb: str, body: dict[str, Any], version: int | None) -> None:
    call.show(act(call.session, "claims", _one(id_), verb, body, version=version), full_text)


def _fields(
    line: list[str] | None,
    text: str | None,
    text_file: Path | None,
    revenue: str | None,
    margin: str | None,
    manager_a: str | None,
    manager_b: str | None,
    opens_on: str | None,
) -> dict[str, Any]:
    if text is not None and text_file is not None:
        raise bad_call("cli.plan.one_text")
    return given(
        {
            "lines": lines(line),
            "plan_text": _content(text_file) if text_file is not None else text,
            "expected_yearly_revenue": yuan(revenue, "--revenue"),
            "expected_margin": yuan(margin, "--margin"),
            "manager_a": manager_a,
            "manager_b": manager_b,
            "opens_on": day(opens_on, "--opens-on"),
        }
    )


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise bad_call("cli.unreadable", file=path, why=problem) from problem
