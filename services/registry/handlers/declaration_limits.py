"""Timers of declarations: a limit warns, or has ended (REG-3)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.registry.domain.declarations import settle
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declaration_steps import keep

WARNING: Final = "declaration_warning"
BREACH: Final = "declaration_breach"
PRE_REVIEW_OVERDUE: Final = "pre_review_overdue"


async def look_at_limit(declaration_id: str, due_at: datetime, desk: Desk) -> bool:
    """Marks what has fallen due by the instant that the timer was set for; False where nothing has.

    A timer never acts on what it was set for but on the limit that runs now: the declaration may have been decided,
    returned or resubmitted since. However late it fires, each mark bears the instant at which it fell due.
    """
    found = await desk.declarations.locked(declaration_id)
    if found is None:
        return False
    moved = settle(found, due_at, desk.terms)
    if moved.after == found:
        return False
    await keep(found, moved, desk)
    return True
