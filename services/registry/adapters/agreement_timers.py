"""The durable timers that end agreements, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from services.registry.handlers.end_agreement import KIND
from shared.messaging.timers import schedule_all
from shared.messaging.work import Work


class PostgresAgreementTimers:
    """`ports.AgreementTimers` inside one unit of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def schedule(
        self, ends: Sequence[tuple[str, str, date]], due_at: Callable[[date], datetime]
    ) -> None:
        # Neither the form of a customer code nor that of an agreement number is fixed, so the subject says how
        # long the first is.
        await schedule_all(
            self._work,
            KIND,
            [
                (
                    f"{len(code)}|{code}|{agreement_no}",
                    due_at(ends_on),
                    {"customer_code": code, "agreement_no": agreement_no},
                )
                for code, agreement_no, ends_on in ends
            ],
        )
