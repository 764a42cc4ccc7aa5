"""At a start, once the organisation is loaded: declarations follow their units to where those stand now."""

from __future__ import annotations

from dataclasses import replace

from services.registry.domain.declarations import Moved
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declaration_steps import keep


async def follow_units(desk: Desk) -> int:
    """Brings the paths of declarations up to date, because who sees one is decided by them; how many had moved.

    Who pre-reviews and who decides stays as it was when the declaration was made.
    """
    units = desk.terms.units
    moved = await desk.declarations.moved()
    for found in moved:
        above = found.pre_review_unit
        after = replace(
            found,
            unit_path=units[found.unit_code].path,
            pre_review_path=None if above is None else units[above].path,
            deciding_path=units[found.deciding_unit].path,
        )
        await keep(found, Moved(after), desk)
    return len(moved)
