"""`keypost declare` and `keypost declarations`: customers declared, pre-reviewed and decided (REG-1, REG-2)."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final

import typer

from cli.acts import (
    Line,
    Lines,
    ManagerA,
    ManagerB,
    Revenue,
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
from cli.words import lines_of, said, word, words

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


class PreReview(enum.StrEnum):
    PASS = "pass"  # noqa: S105 - a word of the interface
    RETURN = "return"
    REJECT = "reject"


class Decision(enum.StrEnum):
    APPROVE = "approve"
    RETURN = "return"
    REJECT = "reject"


class State(enum.StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    PRE_REVIEWED = "pre_reviewed"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class Waiting(enum.StrEnum):
    DECLARER = "declarer"
    PRE_REVIEW = "pre_review"
    CENTRE = "centre"


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


def declare(
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
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Declare a customer: a manager's goes to pre-review, a unit's own straight to the centre, which assigns the code."""
    body = _fields(
        name, uscc, line, revenue, nature, industry, address, division, contact, manager_a, manager_b
    )
    body["name"] = needed(name, "客户名称", "a name")
    session = open_session(data, user, timeout)
    body |= given({"comment": comment})
    body["unit_code"] = unit or unit_of(session.token(), _DECLARERS)
    body.setdefault("expected_lines", [])
    body["submit"] = not draft
    if rehearse:
        told = create(session, "registry", f"{_PATH}/rehearse", body)
        show(told, json_, lambda: _rehearsal_text(told))
        return
    made = create(session, "registry", _PATH, body)
    show(made, json_, lambda: _text(made))


def list_(
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="U", help="Only this unit's and those below it.")
    ] = None,
    waiting_for: Annotated[
        Waiting | None, typer.Option("--waiting-for", help="Only those whose turn is this one's.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only one's own.")] = False,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """List declarations; --json prints all of them as one array."""
    session = open_session(data, user, timeout)
    found = everything(
        session,
        "registry",
        _PATH,
        state=state and state.value,
        unit=unit,
        waiting_for=waiting_for and waiting_for.value,
        mine=mine or None,
    )
    show(found, json_, lambda: _list_text(found))


def show_one(
    id_: Id, user: As = OPERATOR, data: Data = None, json_: Json = False, timeout: Timeout = PATIENCE_S
) -> None:
    """Show one declaration: its steps, its time limit, and customers with a similar name."""
    session = open_session(data, user, timeout)
    found, _tag = fetch(session, "registry", _one(id_))
    show(found, json_, lambda: _text(found))


def edit(
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
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Change a draft or a declaration that was returned; `declarations submit` then hands it in."""
    body = _fields(
        name, uscc, line, revenue, nature, industry, address, division, contact, manager_a, manager_b
    )
    if not body:
        raise CommandError(in_language("没有要修改的内容", "nothing to change is named"), Exit.BAD_CALL)
    session = open_session(data, user, timeout)
    changed = change(session, "registry", _one(id_), body, version=version)
    show(changed, json_, lambda: _text(changed))


def submit(
    id_: Id,
    comment: Comment = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Hand in a draft, or again what was returned: it goes back to where it was."""
    session = open_session(data, user, timeout)
    done = act(session, "registry", _one(id_), "submit", {"comment": comment}, version=version)
    show(done, json_, lambda: _text(done))


def pre_review(
    id_: Id,
    decision: Annotated[
        PreReview, typer.Argument(help="pass to the centre, return to the declarer, or reject.")
    ],
    comment: Comment = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Pre-review a manager's declaration, as a reviewer of their unit."""
    if decision is not PreReview.PASS:
        _reasoned(comment)
    session = open_session(data, user, timeout)
    body = {"decision": decision.value, "comment": comment}
    done = act(session, "registry", _one(id_), "pre-review", body, version=version)
    show(done, json_, lambda: _text(done))


def decide(
    id_: Id,
    decision: Annotated[Decision, typer.Argument(help="approve assigns the code; return; or reject.")],
    comment: Comment = None,
    manager_a: ManagerA = None,
    manager_b: ManagerB = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Decide a declaration at the centre. It is decided once, whoever is first; approval assigns the code."""
    if decision is not Decision.APPROVE:
        _reasoned(comment)
    session = open_session(data, user, timeout)
    body = {"decision": decision.value, "comment": comment, "manager_a": manager_a, "manager_b": manager_b}
    done = act(session, "registry", _one(id_), "decide", body, version=version)
    show(done, json_, lambda: _text(done))


def return_(
    id_: Id,
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="What is missing or wrong.")],
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Return a declaration to its declarer, from wherever it waits: pre-review or the centre."""
    _reasoned(comment)
    session = open_session(data, user, timeout)
    found, _tag = fetch(session, "registry", _one(id_))
    verb = "pre-review" if found.get("waiting_for") == Waiting.PRE_REVIEW else "decide"
    body = {"decision": "return", "comment": comment}
    # Of what has just been seen: had it moved to the centre since, the wrong one of the two would return it.
    done = act(session, "registry", _one(id_), verb, body, version=version or found["version"])
    show(done, json_, lambda: _text(done))


def withdraw(
    id_: Id,
    comment: Comment = None,
    version: Version = None,
    user: As = OPERATOR,
    data: Data = None,
    json_: Json = False,
    timeout: Timeout = PATIENCE_S,
) -> None:
    """Withdraw one's own declaration, as long as it is not decided."""
    session = open_session(data, user, timeout)
    done = act(session, "registry", _one(id_), "withdraw", {"comment": comment}, version=version)
    show(done, json_, lambda: _text(done))


def _one(id_: str) -> str:
    return f"{_PATH}/{segment(needed(id_, '申报编号', 'the id of a declaration'))}"


def _reasoned(comment: str | None) -> None:
    needed(comment or "", "理由（--comment）", "a reason (--comment)")


def _fields(
    name: str | None,
    uscc: str | None,
    line: list[Line] | None,
    revenue: str | None,
    nature: str | None,
    industry: str | None,
    address: str | None,
    division: str | None,
    contact: list[str] | None,
    manager_a: str | None,
    manager_b: str | None,
) -> dict[str, Any]:
    """What was said about the customer, as the interface takes it."""
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
        raise CommandError(
            in_language(
                f"--contact {text}：应为“姓名, 职务, 电话, 邮箱”",
                f'--contact {text}: write "name, position, phone, e-mail"',
            ),
            Exit.BAD_CALL,
        )
    return {name: part for name, part in zip(_CONTACT, parts, strict=False) if part}


# Texts
# --------------------------------------------------------------------------------------------------------


def _head(told: dict[str, Any]) -> str:
    text = f"{told['id']}  {word(told['state'])}"
    if told.get("waiting_for"):
        text += in_language("，待", ", waiting for ") + word(told["waiting_for"])
    if told.get("customer_code"):
        text += in_language("，客户代码 ", ", customer code ") + str(told["customer_code"])
    return text


def _text(told: dict[str, Any]) -> str:
    limit = told.get("limit") or {}
    rows = [
        _head(told),
        *lines_of(
            [
                ("客户名称", "name", told.get("name")),
                ("信用代码", "credit code", told.get("uscc")),
                ("机构", "unit", told.get("unit_code")),
                ("申报人", "declarer", told.get("declarer")),
                ("预计业务", "expected lines", words(told.get("expected_lines") or [])),
                ("预计年用邮（元）", "expected yuan a year", told.get("expected_yearly_revenue")),
                ("地址", "address", told.get("address")),
                ("A角 / B角", "managers A / B", _pair(told.get("manager_a"), told.get("manager_b"))),
                ("预审机构", "pre-review by", told.get("pre_review_unit")),
                ("审批机构", "decided by", told.get("deciding_unit")),
                ("办理时限", "due", _moment(limit.get("due_at"))),
                ("超时", "overdue since", _moment(limit.get("breached_at"))),
                ("已报上级", "told to", limit.get("escalated_to")),
            ]
        ),
    ]
    rows += [
        f"  {moment(step.get('at'))}  {word(step.get('step'))}  {visible(str(step.get('person') or ''))}"
        f"{'  ' + visible(step['comment']) if step.get('comment') else ''}"
        for step in told.get("steps") or []
    ]
    return "\n".join([*rows, *_similar(told)])


def _similar(told: dict[str, Any]) -> list[str]:
    found = told.get("similar") or []
    if not found:
        return []
    head = in_language(f"  {len(found)} 个客户名称相近：", f"  {len(found)} customers have a similar name:")
    return [head, *(f"    {_candidate(one)}" for one in found)]


def _candidate(one: dict[str, Any]) -> str:
    """What lies outside the caller's scope says only which unit holds it."""
    parts = [one.get("id"), one.get("name"), one.get("unit_code"), words(one.get("signs") or [])]
    return "  ".join(visible(str(part)) for part in parts if part)


def _pair(first: str | None, second: str | None) -> str | None:
    return f"{first or '-'} / {second or '-'}" if first or second else None


def _rehearsal_text(told: dict[str, Any]) -> str:
    """Nothing was saved: who would have it, by when, and what stands against it."""
    code = told.get("would_be_code") or {}
    acceptable = (
        in_language("可以受理", "acceptable")
        if told.get("acceptable")
        else in_language("不能受理", "not acceptable")
    )
    rows = [
        in_language("未保存。若提交：", "Nothing was saved. If it were submitted: ") + acceptable,
        *lines_of(
            [
                ("缺少", "missing", words(told.get("missing") or [])),
                ("建议补充", "advised", words(told.get("advised") or [])),
                ("预审机构", "pre-review by", _unit(told.get("pre_review_unit"))),
                ("预审时限", "pre-review due", _moment(told.get("pre_review_due_at"))),
                ("审批机构", "decided by", _unit(told.get("deciding_unit"))),
                ("审批人", "deciders", ", ".join(_person(one) for one in told.get("deciders") or [])),
                ("审批时限", "decided until", _moment(told.get("decided_by_at"))),
                ("代码形式", "form of the code", code.get("form")),
                (
                    "编码规则",
                    "its scheme",
                    in_language(code.get("label_zh") or "", code.get("label_en") or ""),
                ),
            ]
        ),
    ]
    rows += [f"  {word(one.get('code'))}: {said(one)}" for one in told.get("blocks") or []]
    rows += [
        f"  {one.get('pointer', '').lstrip('/')}: {visible(one['detail'])}"
        for one in told.get("errors") or []
    ]
    return "\n".join([*rows, *_similar(told)])


def _unit(one: dict[str, Any] | None) -> str | None:
    return None if one is None else f"{in_language(one['name_zh'], one['name_en'])} ({one['unit_code']})"


def _person(one: dict[str, Any]) -> str:
    return f"{in_language(one['name_zh'], one['name_en'])} ({one['user']})"


def _moment(text: str | None) -> str | None:
    return moment(text) if text else None


def _list_text(found: list[dict[str, Any]]) -> str:
    if not found:
        return in_language("没有申报", "no declarations")
    return "\n".join(
        f"{one['id']}  {word(one['state']):<12} {word(one.get('waiting_for')):<12} {_due(one):<28}"
        f" {one.get('unit_code') or '-':<14} {visible(one['name'])}"
        f"{'  ' + one['customer_code'] if one.get('customer_code') else ''}"
        for one in found
    )


def _due(one: dict[str, Any]) -> str:
    limit = one.get("limit") or one
    if limit.get("breached_at"):
        return in_language("已超时 ", "overdue ") + moment(limit["breached_at"])
    return in_language("限 ", "due ") + moment(limit["due_at"]) if limit.get("due_at") else "-"
