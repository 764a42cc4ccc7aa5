"""A range of codes that runs out is told in time (REG-4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.registry.domain.codes import SerialRange, passed_marks
from services.registry.domain.organisation import Unit
from services.registry.handlers.ports import Publish
from shared.contracts.registry_v1 import RegistryAlert


def last_serials(ranges: Mapping[str, SerialRange]) -> dict[str, int]:
    """How far each range had been issued, to be compared with afterwards."""
    return {division: serials.last for division, serials in ranges.items()}


def tell_low_ranges(
    ranges: Mapping[str, SerialRange],
    before: Mapping[str, int],
    units: Mapping[str, Unit],
    publish: Publish,
    now: datetime,
) -> None:
    """An alert for each mark (90 and 99 percent) that a range has passed since, to the centre that assigns from it."""
    for division, serials in ranges.items():
        for percent in passed_marks(serials, before[division]):
            alert = RegistryAlert(
                alert="code_range_low", subject=division, unit_code=_assigner(units, division), at=now
            )
            publish(alert, f"alert|code_range_low|{serials.scheme.id}|{division}|{percent}")


def _assigner(units: Mapping[str, Unit], division: str) -> str:
    """The unit of that division nearest to the root, one with a centre before others."""
    there = [unit for unit in units.values() if unit.division == division] or list(units.values())
    return min(there, key=lambda unit: (not unit.centre, unit.path.count("/"), unit.code)).code
