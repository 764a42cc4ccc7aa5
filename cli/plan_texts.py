"""Development plans as text: one with its window and its steps, and a list of them."""

from __future__ import annotations

from typing import Any

from cli.printable import moment, visible
from cli.words import lines_of, phrase, word, words


def list_text(plans: list[dict[str, Any]]) -> str:
    """A plan a line."""
    return "\n".join(map(_row, plans)) or phrase("cli.plan.none")


def _row(plan: dict[str, Any]) -> str:
    until = phrase("cli.until", moment=moment(plan["ends_at"])) if plan.get("ends_at") else "-"
    who = plan.get("customer_code") or plan.get("uscc") or "-"
    return (
        f"{plan['plan_id']}  {word('plan', plan['state']):<12} {word('plan_kind', plan['kind']):<9}"
        f" {plan['unit_code']:<14} {who:<19} {until:<26} {visible(plan['name'])}"
    )


def full_text(plan: dict[str, Any]) -> str:
    """A plan with its window, its progress and its steps."""
    state = word("plan", plan["state"])
    if plan.get("queued"):
        state += phrase("cli.plan.queued")
    who = f"{plan.get('customer_code') or plan.get('uscc') or ''}  {visible(plan['name'])}".strip()
    rows = [
        f"{plan['plan_id']}  {state}",
        *lines_of(
            [
                ("cli.label.customer", who),
                ("cli.label.unit", plan.get("unit_code")),
                ("cli.plan.kind", word("plan_kind", plan.get("kind"))),
                ("cli.plan.lines", words("line", plan.get("lines") or [])),
                ("cli.label.expected_revenue", plan.get("expected_yearly_revenue")),
                ("cli.plan.reviewing_unit", plan.get("reviewing_unit")),
                ("cli.plan.review_due", moment(plan["due_at"]) if plan.get("due_at") else None),
                ("cli.plan.review_reason", plan.get("review_reason")),
                ("cli.plan.window", _window(plan)),
                ("cli.plan.progress", _progress(plan)),
                ("cli.plan.guidance", plan.get("guidance")),
                ("cli.plan.agreement", plan.get("agreement_no")),
            ]
        ),
    ]
    rows += [_step(step) for step in plan.get("steps") or []]
    return "\n".join(rows)


def _step(step: dict[str, Any]) -> str:
    about = [
        word("stage", step["stage"]) if step.get("stage") else "",
        step.get("note") or step.get("reason") or "",
    ]
    head = f"  {moment(step['at'])}  {word('happening', step['step'])}  {visible(step['person'])}"
    return "  ".join([head, *(visible(part) for part in about if part)])


def _window(plan: dict[str, Any]) -> str | None:
    if not plan.get("opens_at"):
        return None
    return f"{moment(plan['opens_at'])} – {moment(plan.get('ends_at'))}"


def _progress(plan: dict[str, Any]) -> str | None:
    if not plan.get("stage"):
        return None
    text = f"{word('stage', plan['stage'])}, {moment(plan.get('progressed_at'))}"
    return text + phrase("cli.plan.significant") if plan.get("significant") else text
