"""The rehearsal of a declaration: what would happen, with nothing kept (REG-6)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.registry.domain.codes import CodeScheme
from services.registry.domain.declarations import Terms, route
from services.registry.domain.declaring import Read, Said, advised, missing
from services.registry.domain.organisation import assigning_division
from services.registry.domain.time_limits import Run
from services.registry.entrypoints.declaration_models import (
    BlockOut,
    FaultOut,
    PersonOut,
    RehearsalOut,
    UnitNameOut,
    WouldBeCodeOut,
)
from services.registry.entrypoints.declaration_views import shown_to
from services.registry.handlers.declaration_fields import check_fields, declarer_of, may_declare
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declare import credit_code_taken
from shared.auth.policy import TABLE, NotPermitted
from shared.problems import fault_error
from shared.texts import Language


async def rehearsal(said: Said, desk: Desk, language: Language) -> RehearsalOut | NotPermitted:
    """Everything that a declarer wants to know before declaring."""
    checked = check_fields(said, desk)
    if checked.unit_code is not None and (refusal := may_declare(checked.unit_code, desk)):
        return refusal
    content = checked.content
    blocks = await _blocks(checked, desk)
    similar = [] if content is None else await desk.declarations.candidates(content, "")
    answer = RehearsalOut(
        acceptable=not (checked.faults or blocks),
        missing=list(missing(said)),
        advised=list(advised(said)),
        errors=[FaultOut(**fault_error(fault, language)) for fault in checked.faults],
        blocks=blocks,
        similar=shown_to(desk.caller, similar),
        declared_by=None,
        pre_review_unit=None,
        deciding_unit=None,
        deciders=[],
        mode=None,
        pre_review_due_at=None,
        decided_by_at=None,
        would_be_code=None,
    )
    if checked.unit_code is None:
        return answer
    return answer.model_copy(update=await _way(checked.unit_code, desk))


async def _blocks(checked: Read, desk: Desk) -> list[BlockOut]:
    uscc = None if checked.content is None else checked.content.uscc
    taken = None if uscc is None else await credit_code_taken(uscc, "", desk)
    return [] if taken is None else [BlockOut.model_validate({"code": taken.code, **taken.members()})]


async def _way(unit_code: str, desk: Desk) -> dict[str, Any]:
    """The way that a declaration for this unit goes, and by when."""
    terms, declarer = desk.terms, declarer_of(unit_code, desk)
    pre_review_unit, deciding_unit = route(terms, unit_code, declarer.post)
    mode, reviewed_by, decided_by = _promised(terms, pre_review_unit, deciding_unit, desk.now)
    roles = tuple(TABLE["declarations.decide"])
    deciders = await desk.delegations.deciders(terms.units[deciding_unit].path, roles)
    return {
        "declared_by": declarer.declared_by,
        "pre_review_unit": None if pre_review_unit is None else _unit(terms, pre_review_unit),
        "deciding_unit": _unit(terms, deciding_unit),
        "deciders": [
            PersonOut(user=each.user, name_zh=each.name_zh, name_en=each.name_en) for each in deciders
        ],
        "mode": mode,
        "pre_review_due_at": reviewed_by,
        "decided_by_at": decided_by,
        "would_be_code": _code(desk.rules.issuing, assigning_division(terms.units, unit_code)),
    }


def _promised(
    terms: Terms, pre_review_unit: str | None, deciding_unit: str, now: datetime
) -> tuple[str, datetime | None, datetime | None]:
    """How time is counted, when a pre-review is due, and by when the centre has decided even so."""
    limit = terms.limits.of(terms.units, deciding_unit, terms.today)
    calendar = terms.limits.calendar
    arrives, reviewed_by = now, None
    if pre_review_unit is not None:
        reviewed_by = Run(limit.mode, limit.pre_review, since=now).due_at(calendar)
        arrives = reviewed_by or now
    return limit.mode, reviewed_by, Run(limit.mode, limit.limit, since=arrives).due_at(calendar)


def _unit(terms: Terms, code: str) -> UnitNameOut:
    unit = terms.units[code]
    return UnitNameOut(unit_code=code, name_zh=unit.name_zh, name_en=unit.name_en)


def _code(scheme: CodeScheme, division: str | None) -> WouldBeCodeOut | None:
    if division is None:
        return None
    return WouldBeCodeOut(
        scheme=scheme.id,
        label_zh=scheme.label_zh,
        label_en=scheme.label_en,
        division=division,
        form=f"{division}{'n' * scheme.serial_digits}c",
    )
