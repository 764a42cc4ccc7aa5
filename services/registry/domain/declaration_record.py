"""The record of a declaration: its steps in order, each sealed with the one before it (REG-6).

It is the evidence of first resort in a dispute about who declared a customer first. A seal covers everything that a step
says and the seal before it, so that no step can be changed, left out or put in between without all later ones telling.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Final

from services.registry.domain.declarations import Declaration, Note

_WITH_CONTENT: Final = frozenset({"declared", "edited", "approved"})
"""Steps after which the fields may be others than before, so that they are kept as they were then."""


@dataclass(frozen=True, slots=True)
class Step:
    """A note with its place in the record. `content` is what the declaration said after the step, where it changed."""

    ordinal: int
    version: int
    note: Note
    content: Mapping[str, object] | None
    sha256: str


def first_seal(declaration_id: str) -> str:
    """What the first step is sealed with."""
    return hashlib.sha256(f"declaration|{declaration_id}".encode()).hexdigest()


def seal(previous: str, ordinal: int, version: int, note: Note, content: Mapping[str, object] | None) -> str:
    """The seal of a step: SHA-256 over the one before and the step as JSON with sorted keys, instants in UTC."""
    said = {
        "previous": previous,
        "ordinal": ordinal,
        "version": version,
        "step": note.step,
        "person": note.person,
        "acted_for": note.acted_for,
        "at": note.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "comment": note.comment,
        "content": content,
    }
    return hashlib.sha256(
        json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def steps_after(declaration: Declaration, notes: Iterable[Note], last: Step | None) -> list[Step]:
    """The notes of one transaction as the next steps of the record."""
    ordinal, previous = (0, first_seal(declaration.id)) if last is None else (last.ordinal, last.sha256)
    steps = []
    for note in notes:
        ordinal += 1
        content = content_of(declaration) if note.step in _WITH_CONTENT else None
        previous = seal(previous, ordinal, declaration.version, note, content)
        steps.append(Step(ordinal, declaration.version, note, content, previous))
    return steps


def broken_at(declaration_id: str, steps: Iterable[Step]) -> int | None:
    """The ordinal of the first step whose seal does not fit, or None for a sound record."""
    previous = first_seal(declaration_id)
    for place, step in enumerate(steps, start=1):
        if step.ordinal != place or step.sha256 != seal(
            previous, place, step.version, step.note, step.content
        ):
            return place
        previous = step.sha256
    return None


def content_of(declaration: Declaration) -> dict[str, object]:
    """What a declaration says, as the record keeps it."""
    said: dict[str, object] = asdict(declaration.content)
    said["contacts"] = [asdict(contact) for contact in declaration.content.contacts]
    said["expected_lines"] = list(declaration.content.expected_lines)
    return {**said, "unit_code": declaration.unit_code, "customer_code": declaration.customer_code}
