"""The rehearsal of a declaration: what would happen, with nothing kept (REG-6)."""

from __future__ import annotations

from datetime import datetime

from services.registry.domain.codes import CodeScheme
from services.registry.domain.declarations import Declarer, Terms, route
from services.registry.domain.declaring import Read, Said, advised, missing
from services.registry.domain.organisation import assigning_division
from services.registry.domain.time_limits import Run
from services.registry.entrypoints import declaration_problems as problems
from services.registry.entrypoints.declaration_models import (
    BlockOut,
    FaultOut,
    PersonOut,
    RehearsalOut,
    UnitNameOut,
    WouldBeCodeOut,
    shown_to,
)
from services.registry.handlers.declaration_ports import Desk
from services.registry.handlers.declare import blocked_by
from services.registry.handlers.ports import Rules
from shared.auth.policy import TABLE
from shared.auth.principals import Principal
from shared.messaging.work import Work
from shared.texts import Language


async def rehearsal(
    said: Said,
    checked: Read,
    caller: Principal,
    declarer: Declarer,
    desk: Desk,
    work: Work,
    rules: Rules,
    language: Language,
) -> RehearsalOut:
    """Everything that a declarer wants to know before declaring."""
    content, unit_code = checked.content, checked.unit_code
    found: list[BlockOut] = []
    uscc = None if content is None else content.uscc
    if uscc is not None and (blocked := await blocked_by(uscc, "", desk)):
        members = problems.holder(blocked, desk.terms.units, caller)
        found = [BlockOut.model_validate({"code": blocked.reason, **members})]
    answer = RehearsalOut(
        acceptable=not (checked.faults or found),
        missing=list(missing(said)),
        advised=list(advised(said)),
        errors=[FaultOut(**fault) for fault in problems.fault_list(checked.faults, language)],
        blocks=found,
        similar=[] if content is None else shown_to(caller, await desk.declarations.candidates(content, "")),
        declared_by=None,
        pre_review_unit=None,
        deciding_unit=None,
        deciders=[],
        mode=None,
        pre_review_due_at=None,
        decided_by_at=None,
        would_be_code=None,
    )
    if unit_code is None:
        return answer
    pre_review_unit, deciding_unit = route(desk.terms, unit_code, declarer.post)
    mode, reviewed_by, decided_by = _promised(desk.terms, pre_review_unit, deciding_unit, desk.now)
    return answer.model_copy(
        update={
            "declared_by": declarer.declared_by,
            "pre_review_unit": None if pre_review_unit is None else _unit(desk.terms, pre_review_unit),
            "deciding_unit": _unit(desk.terms, deciding_unit),
            "deciders": await _deciders(work, desk.terms.units[deciding_unit].path),
            "mode": mode,
            "pre_review_due_at": reviewed_by,
            "decided_by_at": decided_by,
            "would_be_code": _code(rules.issuing, assigning_division(desk.terms.units, unit_code)),
        }
    )


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


async def _deciders(work: Work, deciding_path: str) -> list[PersonOut]:
    """Who decides there: those with the role on the nearest unit at or above that anybody has it on."""
    raw = await work.raw()
    rows = await raw.fetch(
        """
        SELECT user_name AS "user", name_zh, name_en FROM (
            SELECT s.*, rank() OVER (ORDER BY length(u.path) DESC) AS nearness
            FROM staff s JOIN staff_roles r USING (user_name) JOIN units u ON u.code = r.unit_code
            WHERE s.active AND r.role = ANY($1::text[]) AND starts_with($2 || '/', u.path || '/')
        ) AS near WHERE nearness = 1 ORDER BY user_name
        """,
        list(TABLE["declarations.decide"]),
        deciding_path,
    )
    return [PersonOut(**dict(row)) for row in rows]
