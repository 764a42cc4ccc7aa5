"""Decisions of a person about things that wait for one: dead letters and held transactions.

A service decides each thing once and refuses a second decision. When an answer was lost on its way, the repetition is
refused too, although it was our own decision that counts: what the thing shows then tells the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from cli.command import Call, bad_call
from cli.instance import Exit, Refused, Session
from cli.printable import visible
from deploy.embedded.terminal import say


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one decision: the service's answer, or why it was refused."""

    name: str
    answer: dict[str, Any] | None = None
    refused: Refused | None = None


def decide(
    session: Session,
    service: str,
    path: str,
    act: str,
    body: dict[str, Any] | None,
    *,
    name: str,
    wanted: Callable[[dict[str, Any]], bool],
) -> Outcome:
    """Ask for one decision. `wanted` says whether a thing already shows what was asked for."""
    undecided = False
    try:
        before = session.get(service, path)
        undecided = before.get("decided_by") is None
        answer = session.post(service, f"{path}/{act}", body)
        return Outcome(name, {**answer, "id": name})
    except Refused as refused:
        if refused.status == 409 and undecided:
            now = session.get(service, path)
            if now.get("decided_by") == session.user and wanted(now):
                return Outcome(name, {"id": name, "state": now["state"]})
        return Outcome(name, refused=refused)


def conclude(call: Call, outcomes: Sequence[Outcome], done_as: str) -> None:
    """Print what was done and refused, and end: 0 all done, 3 some refused, 1 everything refused."""
    done = [outcome for outcome in outcomes if outcome.answer is not None]
    refusals = [(outcome.name, outcome.refused) for outcome in outcomes if outcome.refused is not None]
    if call.json or done:
        call.show(
            [_as_json(outcome) for outcome in outcomes],
            lambda _: "\n".join(f"{outcome.name} {done_as}" for outcome in done),
        )
    for name, refused in refusals:
        say(f"{name}: {refused}")
    if refusals:
        raise typer.Exit(Exit.PARTLY if done else Exit.REFUSED)


def _as_json(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.refused is None:
        return outcome.answer
    return {
        "id": outcome.name,
        "refused": outcome.refused.problem.get("code"),
        "detail": str(outcome.refused),
    }


def number_of(text: str, unusable: str) -> int:
    """A positive number that names a thing; `unusable` is the key of what is said where it is none. Raises CommandError."""
    if not text.strip().isascii() or not text.strip().isdigit() or len(text.strip()) > 18:
        raise bad_call(unusable, text=visible(text))
    return int(text)
