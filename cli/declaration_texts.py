"""Declarations as text: one with its steps, a list of them, and what a rehearsal found."""

from __future__ import annotations

from typing import Any

from cli.printable import moment, visible
from cli.words import in_one_line, joined, lines_of, named, phrase, word, words


def full_text(declaration: dict[str, Any]) -> str:
    """A declaration with its time limit, its steps, and customers of a similar name."""
    limit = declaration.get("limit") or {}
    managers = [declaration.get("manager_a"), declaration.get("manager_b")]
    rows = [
        _head(declaration),
        *lines_of(
            [
                ("cli.label.name", declaration.get("name")),
                ("cli.label.uscc", declaration.get("uscc")),
                ("cli.label.unit", declaration.get("unit_code")),
                ("cli.declarations.declarer", declaration.get("declarer")),
                ("cli.label.expected_lines", words("line", declaration.get("expected_lines") or [])),
                ("cli.label.expected_revenue", declaration.get("expected_yearly_revenue")),
                ("cli.declarations.address", declaration.get("address")),
                ("cli.declarations.managers", _managers(managers)),
                ("cli.declarations.pre_review_unit", declaration.get("pre_review_unit")),
                ("cli.declarations.deciding_unit", declaration.get("deciding_unit")),
                ("cli.declarations.due", _moment(limit.get("due_at"))),
                ("cli.declarations.overdue_since", _moment(limit.get("breached_at"))),
                ("cli.declarations.escalated_to", limit.get("escalated_to")),
            ]
        ),
    ]
    rows += [
        f"  {moment(step.get('at'))}  {word('step', step.get('step'))}  {visible(str(step.get('person') or ''))}"
        f"{'  ' + visible(step['comment']) if step.get('comment') else ''}"
        for step in declaration.get("steps") or []
    ]
    return "\n".join([*rows, *_similar(declaration)])


def _head(declaration: dict[str, Any]) -> str:
    text = f"{declaration['id']}  {word('declaration', declaration['state'])}"
    if declaration.get("waiting_for"):
        text += phrase("cli.declarations.waiting_for", whom=word("waiting", declaration["waiting_for"]))
    if declaration.get("customer_code"):
        text += phrase("cli.declarations.customer_code", code=declaration["customer_code"])
    return text


def _similar(answer: dict[str, Any]) -> list[str]:
    found = answer.get("similar") or []
    if not found:
        return []
    head = phrase("cli.declarations.similar", count=len(found))
    return [f"  {head}", *(f"    {_candidate(one)}" for one in found)]


def _candidate(one: dict[str, Any]) -> str:
    """What lies outside the caller's scope says only which unit holds it."""
    parts = [one.get("id"), one.get("name"), one.get("unit_code"), words("similar", one.get("signs") or [])]
    return "  ".join(visible(str(part)) for part in parts if part)


def _managers(managers: list[str | None]) -> str | None:
    return " / ".join(manager or "-" for manager in managers) if any(managers) else None


def rehearsal_text(rehearsal: dict[str, Any]) -> str:
    """Nothing was saved: who would have it, by when, and what stands against it."""
    code = rehearsal.get("would_be_code") or {}
    acceptable = (
        "cli.declarations.acceptable" if rehearsal.get("acceptable") else "cli.declarations.not_acceptable"
    )
    rows = [
        phrase("cli.declarations.nothing_saved", verdict=phrase(acceptable)),
        *lines_of(
            [
                ("cli.declarations.missing", words("field", rehearsal.get("missing") or [])),
                ("cli.declarations.advised", words("field", rehearsal.get("advised") or [])),
                ("cli.declarations.pre_review_unit", _unit(rehearsal.get("pre_review_unit"))),
                ("cli.declarations.pre_review_due", _moment(rehearsal.get("pre_review_due_at"))),
                ("cli.declarations.deciding_unit", _unit(rehearsal.get("deciding_unit"))),
                (
                    "cli.declarations.deciders",
                    joined([_person(one) for one in rehearsal.get("deciders") or []]),
                ),
                ("cli.declarations.decided_until", _moment(rehearsal.get("decided_by_at"))),
                ("cli.declarations.code_form", code.get("form")),
                ("cli.declarations.code_scheme", named(code, "label") if code else None),
            ]
        ),
    ]
    rows += [
        f"  {word('block', one.get('code'))}: {in_one_line(one)}" for one in rehearsal.get("blocks") or []
    ]
    rows += [
        f"  {one.get('pointer', '').lstrip('/')}: {visible(one['detail'])}"
        for one in rehearsal.get("errors") or []
    ]
    return "\n".join([*rows, *_similar(rehearsal)])


def _unit(one: dict[str, Any] | None) -> str | None:
    return None if one is None else f"{named(one)} ({one['unit_code']})"


def _person(one: dict[str, Any]) -> str:
    return f"{named(one)} ({one['user']})"


def _moment(text: str | None) -> str | None:
    return moment(text) if text else None


def list_text(declarations: list[dict[str, Any]]) -> str:
    """A declaration a line."""
    return "\n".join(map(_row, declarations)) or phrase("cli.declarations.none")


def _row(one: dict[str, Any]) -> str:
    code = f"  {one['customer_code']}" if one.get("customer_code") else ""
    return (
        f"{one['id']}  {word('declaration', one['state']):<12} {word('waiting', one.get('waiting_for')):<12}"
        f" {_due(one):<28} {one.get('unit_code') or '-':<14} {visible(one['name'])}{code}"
    )


def _due(one: dict[str, Any]) -> str:
    limit = one.get("limit") or one
    if limit.get("breached_at"):
        return phrase("cli.declarations.overdue", moment=moment(limit["breached_at"]))
    return phrase("cli.declarations.due_at", moment=moment(limit["due_at"])) if limit.get("due_at") else "-"
