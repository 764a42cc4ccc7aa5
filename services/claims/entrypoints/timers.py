"""What falls due by itself: openings, ends, expiries, overdue reviews, warnings and silence (CLM-7, CLM-9, CLM-22)."""

from __future__ import annotations

from services.claims.domain.rules import Rulebook
from services.claims.entrypoints.commands import open_desk
from services.claims.handlers import desk as kinds
from services.claims.handlers.fall_due import bring_up_to_date, note_missing_guidance, note_silence, warn
from shared.messaging.timers import Timer, TimerHandler
from shared.messaging.work import Work


def handlers(rules: Rulebook) -> dict[str, TimerHandler]:
    """The handler of every kind of timer."""

    async def due(work: Work, timer: Timer) -> None:
        await bring_up_to_date(open_desk(work, rules), timer.subject, timer.due_at)

    async def warning(work: Work, timer: Timer) -> None:
        await warn(open_desk(work, rules), timer.subject, timer.due_at, timer.payload["days"])

    async def silence(work: Work, timer: Timer) -> None:
        await note_silence(open_desk(work, rules), timer.subject, timer.due_at)

    async def guidance(work: Work, timer: Timer) -> None:
        await note_missing_guidance(open_desk(work, rules), timer.subject, timer.due_at)

    return {
        kinds.REVIEW_OVERDUE: due,
        kinds.WINDOW_OPEN: due,
        kinds.WINDOW_END: due,
        kinds.WINDOW_SETTLED: due,
        kinds.WINDOW_WARNING: warning,
        kinds.WINDOW_SILENCE: silence,
        kinds.WINDOW_GUIDANCE: guidance,
    }
