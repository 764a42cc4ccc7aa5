"""`keypost plan`: development plans, from their filing to the window and its end (CLM-1 to CLM-9)."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli.acts import (
    Line,
    Lines,
    ManagerA,
    ManagerB,
    Revenue,
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
from cli.grants import unit_of
from cli.instance import (
    OPERATOR,
    PATIENCE_S,
    As,
    CommandError,
    Data,
    Exit,
    Json,
    Timeout,
    open_session,
    show,
)
from cli.language import in_language
from cli.printable import moment, visible
from cli.words import lines_of, word, words

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


class Festival(enum.StrEnum):
    MID_AUTUMN = "mid_autumn"
    NEW_YEAR = "new_year"
    SPRING_FESTIVAL = "spring_festival"


class Kind(enum.StrEnum):
    REGULAR = "regular"
    FESTIVAL = "festival"


class State(enum.StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    REGISTERED = "registered"
    ACTIVE = "active"
    SETTLING = "settling"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


class Review(enum.StrEnum):
    REGISTER = "register"
    REFUSE = "refuse"


class Stage(enum.StrEnum):
    CONTACT = "contact"
    PROPOSAL = "proposal"
    NEGOTIATION = "negotiation"
    TRIAL = "trial"
    CONTRACT = "contract"


class Judgement(enum.StrEnum):
    SIGNIFICANT = "significant"
    NOT_SIGNIFICANT = "not-significant"


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


def file(
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
        Kind, typer.Option("--kind", help="A festival plan's window is shorter and lies in its season.")
    ] = Kind.REGULAR,
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
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """File a plan to develop a customer, or a prospect known by credit code and name. Manager A is by default the user."""
    body = _fields(line, text, text_file, revenue, margin, manager_a, manager_b, opens_on)
    if (customer is None) == (prospect_uscc is None and prospect_name is None):
        raise CommandError(
            in_language(
                "请给出客户代码，或 --prospect-uscc 和 --prospect-name",
                "name a CUSTOMER, or --prospect-uscc and --prospect-name",
            ),
            Exit.BAD_CALL,
        )
    if customer is not None:
        body["customer_code"] = needed(customer, "客户代码", "a customer's code")
    else:
        body["prospect"] = {
            "uscc": needed(prospect_uscc or "", "信用代码（--prospect-uscc）", "--prospect-uscc"),
            "name": needed(prospect_name or "", "名称（--prospect-name）", "--prospect-name"),
        }
    if (kind is Kind.FESTIVAL) != (festival is not None):
        raise CommandError(
            in_language("--festival 与 --kind festival 同用", "--festival goes with --kind festival"),
            Exit.BAD_CALL,
        )
    needed(body.get("plan_text", ""), "开发预案（--text 或 --text-file）", "the plan (--text or --text-file)")
    session = open_session(data, user, timeout)
    body.setdefault("manager_a", session.user)
    body.setdefault("lines", [])
    body["unit_code"] = unit or unit_of(session.token(), _FILERS)
    body |= {
        "kind": kind.value,
        "queue": queue,
        "submit": not draft,
        **given({"festival": festival and festival.value}),
    }
    made = create(session, "claims", _PATH, body)
    show(made, json_, lambda: _text(made))


def edit(
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
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Change a draft; `plan submit` then hands it in."""
    body = _fields(line, text, text_file, revenue, margin, manager_a, manager_b, opens_on)
    if not body:
        raise CommandError(in_language("没有要修改的内容", "nothing to change is named"), Exit.BAD_CALL)
    session = open_session(data, user, timeout)
    changed = change(session, "claims", _one(id_), body, version=version)
    show(changed, json_, lambda: _text(changed))


def submit(
    id_: Id,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Hand in a draft for review."""
    done = act(open_session(data, user, timeout), "claims", _one(id_), "submit", {}, version=version)
    show(done, json_, lambda: _text(done))


def review(
    id_: Id,
    decision: Annotated[Review, typer.Argument(help="register opens the window; or refuse.")],
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; needed to refuse.")
    ] = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Review a plan at the centre. Registered, its exclusive window opens; one customer has one window at a time."""
    if decision is Review.REFUSE:
        needed(reason or "", "理由（--reason）", "a reason (--reason)")
    body = {"decision": decision.value, "reason": reason}
    done = act(open_session(data, user, timeout), "claims", _one(id_), "review", body, version=version)
    show(done, json_, lambda: _text(done))


def progress(
    id_: Id,
    stage: Annotated[Stage, typer.Argument(help="How far it is.")],
    note: Note,
    evidence: Evidence = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Report progress in a window, as its holder."""
    body = {
        "stage": stage.value,
        "note": needed(note, "情况（--note）", "a note (--note)"),
        "evidence": evidence or None,
    }
    done = act(open_session(data, user, timeout), "claims", _one(id_), "progress", body, version=version)
    show(done, json_, lambda: _text(done))


def judge(
    id_: Id,
    judgement: Annotated[Judgement, typer.Argument(help="Whether the progress is significant.")],
    note: Note,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Judge the progress in a window, as the centre, with guidance to the holder."""
    body = {
        "significant": judgement is Judgement.SIGNIFICANT,
        "note": needed(note, "意见（--note）", "a note (--note)"),
    }
    done = act(open_session(data, user, timeout), "claims", _one(id_), "judge", body, version=version)
    show(done, json_, lambda: _text(done))


def extend(
    id_: Id,
    until: Annotated[str, typer.Argument(metavar="DATE", help="The window's new last day.")],
    reason: Reason,
    evidence: Annotated[
        list[str],
        typer.Option("--evidence", metavar="TEXT", help="Evidence of work; may be given several times."),
    ],
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Extend a window once, as the centre, for significant progress."""
    body = {
        "until": day(until, in_language("日期", "DATE")),
        "reason": needed(reason, "理由（--reason）", "a reason (--reason)"),
        "evidence": evidence,
    }
    done = act(open_session(data, user, timeout), "claims", _one(id_), "extend", body, version=version)
    show(done, json_, lambda: _text(done))


def withdraw(
    id_: Id,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Kept with it.")] = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Withdraw a plan; its window, if it has one, is released."""
    body = {"reason": reason}
    done = act(open_session(data, user, timeout), "claims", _one(id_), "withdraw", body, version=version)
    show(done, json_, lambda: _text(done))


def list_(
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="U", help="Only this unit's and those below it.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="CODE", help="Only this customer's.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that one filed or manages.")] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """List plans; --json prints all of them as one array."""
    session = open_session(data, user, timeout)
    found = everything(
        session, "claims", _PATH, state=state and state.value, unit=unit, customer=customer, mine=mine or None
    )
    show(found, json_, lambda: "\n".join(map(_row, found)) or in_language("没有开发预案", "no plans"))


def show_one(
    id_: Id, user: As = OPERATOR, data: Data = None, json_: Json = False, timeout: Timeout = PATIENCE_S
) -> None:
    """Show one plan, its window and its progress."""
    found, _tag = fetch(open_session(data, user, timeout), "claims", _one(id_))
    show(found, json_, lambda: _text(found))


def _one(id_: str) -> str:
    return f"{_PATH}/{segment(needed(id_, '预案编号', 'the id of a plan'))}"


def _fields(
    line: list[Line] | None,
    text: str | None,
    text_file: Path | None,
    revenue: str | None,
    margin: str | None,
    manager_a: str | None,
    manager_b: str | None,
    opens_on: str | None,
) -> dict[str, Any]:
    if text is not None and text_file is not None:
        raise CommandError(
            in_language("--text 与 --text-file 只能用一个", "--text or --text-file, not both"), Exit.BAD_CALL
        )
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
        raise CommandError(
            in_language(f"{path} 无法读取：{problem}", f"{path} cannot be read: {problem}"), Exit.BAD_CALL
        ) from problem


# Texts
# --------------------------------------------------------------------------------------------------------


def _row(told: dict[str, Any]) -> str:
    until = in_language("至 ", "until ") + moment(told["ends_at"]) if told.get("ends_at") else "-"
    who = told.get("customer_code") or told.get("uscc") or "-"
    return (
        f"{told['plan_id']}  {word(told['state']):<12} {word(told['kind']):<9} {told['unit_code']:<14}"
        f" {who:<19} {until:<26} {visible(told['name'])}"
    )


def _text(told: dict[str, Any]) -> str:
    state = word(told["state"])
    if told.get("queued"):
        state += in_language("，排队等候", ", queued")
    who = f"{told.get('customer_code') or told.get('uscc') or ''}  {visible(told['name'])}".strip()
    rows = [
        f"{told['plan_id']}  {state}",
        *lines_of(
            [
                ("客户", "customer", who),
                ("机构", "unit", told.get("unit_code")),
                ("类别", "kind", word(told.get("kind"))),
                ("业务", "lines", words(told.get("lines") or [])),
                ("预计年用邮（元）", "expected yuan a year", told.get("expected_yearly_revenue")),
                ("审核机构", "reviewed by", told.get("reviewing_unit")),
                ("审核时限", "review due", moment(told["due_at"]) if told.get("due_at") else None),
                ("审核意见", "review", told.get("review_reason")),
                ("独家开发期", "window", _window(told)),
                ("进展", "progress", _progress(told)),
                ("指导意见", "guidance", told.get("guidance")),
                ("协议", "agreement", told.get("agreement_no")),
            ]
        ),
    ]
    rows += [_step(step) for step in told.get("steps") or []]
    return "\n".join(rows)


def _step(step: dict[str, Any]) -> str:
    about = [word(step["stage"]) if step.get("stage") else "", step.get("note") or step.get("reason") or ""]
    head = f"  {moment(step['at'])}  {word(step['step'])}  {visible(step['person'])}"
    return "  ".join([head, *(visible(part) for part in about if part)])


def _window(told: dict[str, Any]) -> str | None:
    if not told.get("opens_at"):
        return None
    return f"{moment(told['opens_at'])} – {moment(told.get('ends_at'))}"


def _progress(told: dict[str, Any]) -> str | None:
    if not told.get("stage"):
        return None
    text = f"{word(told['stage'])}, {moment(told.get('progressed_at'))}"
    return text + in_language("，显著", ", significant") if told.get("significant") else text
