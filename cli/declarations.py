"""`keypost declare` and `keypost declarations`: customers declared, pre-reviewed and decided (REG-1, REG-2)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import typer

from cli.acts import (
    Lines,
    ManagerA,
    ManagerB,
    Revenue,
    UnderUnit,
    Unit,
    Uscc,
    Version,
    act,
    change,
    create,
    everything,
    fetch,
    given,
    lines,
    needed,
    segment,
    yuan,
)
from cli.command import Call, bad_call, command
from cli.declaration_texts import full_text, list_text, rehearsal_text
from cli.grants import unit_of
from shared.contracts.registry_v1 import DeclarationPhase, WaitingFor

_PATH: Final = "/v1/declarations"
_DECLARERS: Final = ("manager", "reviewer", "centre")
_CONTACT: Final = ("name", "position", "phone", "email")

Id = Annotated[str, typer.Argument(metavar="ID", help="As `declarations list` shows it.")]
Comment = Annotated[
    str | None, typer.Option("--comment", metavar="TEXT", help="Why; it is kept with the step.")
]
Name = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="The customer's name.")]
Nature = Annotated[str | None, typer.Option("--nature", metavar="TEXT", help="The kind of enterprise.")]
Industry = Annotated[
    str | None, typer.Option("--industry", metavar="TEXT", help="Category of GB/T 4754, by its code or name.")
]
Address = Annotated[str | None, typer.Option("--address", metavar="TEXT", help="The registered address.")]
Division = Annotated[
    str | None, typer.Option("--division", metavar="CODE", help="Administrative division, GB/T 2260.")
]
Contacts = Annotated[
    list[str] | None,
    typer.Option(
        "--contact", metavar="TEXT", help='"name, position, phone, e-mail"; may be given several times.'
    ),
]


PreReview = Literal["pass", "return", "reject"]
Decision = Literal["approve", "return", "reject"]


def register(app: typer.Typer) -> None:
    app.command()(declare)
    group = typer.Typer(help="Declared customers, from their filing to the code.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show_one)
    group.command("edit")(edit)
    group.command("submit")(submit)
    group.command("pre-review")(pre_review)
    group.command("decide")(decide)
    group.command("return")(return_)
    group.command("withdraw")(withdraw)
    app.add_typer(group, name="declarations")


@command
def declare(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The customer's name.")],
    uscc: Uscc = None,
    unit: Unit = None,
    line: Lines = None,
    revenue: Revenue = None,
    nature: Nature = None,
    industry: Industry = None,
    address: Address = None,
    division: Division = None,
    contact: Contacts = None,
    manager_a: ManagerA = None,
    manager_b: ManagerB = None,
    comment: Comment = None,
    draft: Annotated[bool, typer.Option("--draft", help="Keep it as a draft; submit it later.")] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Save nothing; show who would decide by when, and possible duplicates."
        ),
    ] = False,
) -> None:
    """Declare a customer: a manager's goes to pre-review, a unit's own straight to the centre, which assigns the code."""
    body = _fields(
        name, uscc, line, revenue, nature, industry, address, division, contact, manager_a, manager_b
    )
    body["name"] = needed(name, "cli.needed_name")
    body |= given({"comment": comment})
    body["unit_code"] = unit or unit_of(call.session.token(), _DECLARERS)
    body.setdefault("expected_lines", [])
    body["submit"] = not draft
    if rehearse:
        call.show(create(call.session, "registry", f"{_PATH}/rehearse", body), rehearsal_text)
    else:
        call.show(create(call.session, "registry", _PATH, body), full_text)


@command
def list_(
    call: Call,
    state: Annotated[
        DeclarationPhase | None, typer.Option("--state", help="Only those in this state.")
    ] = None,
    unit: UnderUnit = None,
    waiting_for: Annotated[
        WaitingFor | None, typer.Option("--waiting-for", help="Only those whose turn is this one's.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only one's own.")] = False,
) -> None:
    """List declarations; --json prints all of them as one array."""
    found = everything(
        call.session,
        "registry",
        _PATH,
        state=state,
        unit=unit,
        waiting_for=waiting_for,
        mine=mine or None,
    )
    call.show(found, list_text)


@command
def show_one(call: Call, id_: Id) -> None:
    """Show one declaration: its steps, its time limit, and customers with a similar name."""
    call.show(fetch(call.session, "registry", _one(id_))[0], full_text)


@command
def edit(
    call: Call,
    id_: Id,
    name: Name = None,
    uscc: Uscc = None,
    line: Lines = None,
    revenue: Revenue = None,
    nature: Nature = None,
    industry: Industry = None,
    address: Address = None,
    division: Division = None,
    contact: Contacts = None,
    manager_a: ManagerA = None,
    manager_b: ManagerB = None,
    version: Version = None,
) -> None:
    """Change a draft or a declaration that was returned; `declarations submit` then hands it in."""
    body = _fields(
        name, uscc, line, revenue, nature, industry, address, division, contact, manager_a, manager_b
    )
    if not body:
        raise bad_call("cli.nothing_to_change")
    call.show(change(call.session, "registry", _one(id_), body, version=version), full_text)


@command
def submit(
    call: Call,
    id_: Id,
    comment: Comment = None,
    version: Version = None,
) -> None:
    """Hand in a draft, or again what was returned: it goes back to where it was."""
    _act(call, id_, "submit", {"comment": comment}, version)


@command
def pre_review(
    call: Call,
    id_: Id,
    decision: Annotated[
        PreReview, typer.Argument(help="pass to the centre, return to the declarer, or reject.")
    ],
    comment: Comment = None,
    version: Version = None,
) -> None:
    """Pre-review a manager's declaration, as a reviewer of their unit."""
    if decision != "pass":
        _need_reason(comment)
    _act(call, id_, "pre-review", {"decision": decision, "comment": comment}, version)


@command
def decide(
    call: Call,
    id_: Id,
    decision: Annotated[Decision, typer.Argument(help="approve assigns the code; return; or reject.")],
    comment: Comment = None,
    manager_a: ManagerA = None,
    manager_b: ManagerB = None,
    version: Version = None,
) -> None:
    """Decide a declaration at the centre. It is decided once, whoever is first; approval assigns the code."""
    if decision != "approve":
        _need_reason(comment)
    body = {"decision": decision, "comment": comment, "manager_a": manager_a, "manager_b": manager_b}
    _act(call, id_, "decide", body, version)


@command
def return_(
    call: Call,
    id_: Id,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="What is missing or wrong.")],
    version: Version = None,
) -> None:
    """Return a declaration to its declarer, from wherever it waits: pre-review or the centre."""
    _need_reason(comment)
    found, _tag = fetch(call.session, "registry", _one(id_))
    verb = "pre-review" if found.get("waiting_for") == "pre_review" else "decide"
    # Of what has just been seen: had it moved to the centre since, the wrong one of the two would return it.
    _act(call, id_, verb, {"decision": "return", "comment": comment}, version or found["version"])


@command
def withdraw(
    call: Call,
    id_: Id,
    comment: Comment = None,
    version: Version = None,
) -> None:
    """Withdraw one's own declaration, as long as it is not decided."""
    _act(call, id_, "withdraw", {"comment": comment}, version)


def _one(id_: str) -> str:
    return f"{_PATH}/{segment(needed(id_, 'cli.declarations.id'))}"


def _act(call: Call, id_: str, verb: str, body: dict[str, Any], version: int | None) -> None:
    call.show(act(call.session, "registry", _one(id_), verb, body, version=version), full_text)


def _need_reason(comment: str | None) -> None:
    needed(comment, "cli.needed_comment")


def _fields(
    name: str | None,
    uscc: str | None,
    line: list[str] | None,
    revenue: str | None,
    nature: str | None,
    industry: str | None,
    address: str | None,
    division: str | None,
    contact: list[str] | None,
    manager_a: str | None,
    manager_b: str | None,
) -> dict[str, Any]:
    """What was given about the customer, as the interface takes it."""
    return given(
        {
            "name": name,
            "uscc": uscc,
            "expected_lines": lines(line),
            "expected_yearly_revenue": yuan(revenue, "--revenue"),
            "nature": nature,
            "industry": industry,
            "address": address,
            "division": division,
            "contacts": [_contact(text) for text in contact] if contact else None,
            "manager_a": manager_a,
            "manager_b": manager_b,
        }
    )


def _contact(text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.replace("，", ",").split(",")]
    if not parts[0] or len(parts) > len(_CONTACT):
        raise bad_call("cli.declarations.no_contact", text=text)
    return {name: part for name, part in zip(_CONTACT, parts, strict=False) if part}
