"""Fill the copy of the views from records, beside the served ones: the same folding, and nothing else comes of it."""

from __future__ import annotations

from collections.abc import Sequence

from services.reporting.handlers.build_views import BuildViews
from services.reporting.handlers.ports import OpenViews
from shared.messaging.records import Record
from shared.messaging.work import Work


class FillCopy:
    """Takes batches like `BuildViews`. What cannot be read was given up by the first reader, with a dead letter."""

    def __init__(self, open_copy: OpenViews) -> None:
        self._build = BuildViews(open_copy)

    async def handle(self, work: Work, records: Sequence[Record]) -> None:
        await self._build.handle(work, [record for record in records if record.oversized is None])
        work.dead_letters.clear()
