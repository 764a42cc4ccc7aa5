"""Decisions of a person about things that wait for one: dead letters and held transactions.

A service decides each thing once and refuses a second decision. When an answer was lost on its way, the repetition is
refused too, although it was our own decision that counts: what the thing shows then tells the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from cli.instance import CommandError, Exit, Refused, Session, show
from cli.language import accept_language
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
        before = session.get(service, path, headers=accept_language())
        undecided = before.get("decided_by") is None
        answer = session.post(service, f"{path}/{act}", body, headers=accept_language())
        return Outcome(name, {**answer, "id": name})
    except Refused as refused:
        if refused.status == 409 and undecided:
            now = session.get(service, path, headers=accept_language())
            if now.get("decided_by") == session.user and wanted(now):
                return Outcome(name, {"id": name, "state": now["state"]})
        return Outcome(name, refused=refused)


def conclude(outcomes: Sequence[Outcome], word: str, as_json: bool) -> None:
    """Print what was done and refused, and end: 0 all done, 3 some refused, 1 everything refused."""
    done = [outcome for outcome in outcomes if outcome.answer is not None]
    refusals = [outcome for outcome in outcomes if outcome.refused is not None]
    if as_json:
        show(
            [
                outcome.answer
                if outcome.refused is None
                else {
                    "id": outcome.name,
                    "refused": outcome.refused.problem.get("code"),
                    "detail": str(outcome.refused),
                }
                for outcome in outcomes
            ],
            True,
        )
    elif done:
        show(None, False, lambda: "\n".join(f"{outcome.name} {word}" for outcome in done))
    for outcome in refusals:
        say(f"{outcome.name}: {outcome.refused}")
    if refusals and done:
        raise typer.Exit(Exit.PARTLY)
    if refusals:
        raise typer.Exit(Exit.REFUSED)


def number_of(text: str, what: str) -> int:
    """A positive number that names a thing. Raises CommandError."""
    if not text.strip().isascii() or not text.strip().isdigit() or len(text.strip()) > 18:
        raise CommandError(f"{text!r} is no number of {what}", Exit.BAD_CALL)
    return int(text)
