"""What somebody should look at: limits that warn or are broken, windows that end or are silent, cases to decide (REP-10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.adapters.reads.rows import Page, Row, fetch, instant, under_unit, where
from shared.auth.policy import permit
from shared.auth.principals import Principal
from shared.paging import Listing
from shared.scope import reading


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What a list of alerts is narrowed to; `open` means what it is about still stands."""

    alert: str | None = None
    unit: str | None = None
    open: bool | None = True


_TOLD: Final = ("window_ending", "window_silent", "guidance_missing", "review_overdue")
_CASES: Final = ("case_opened",)

# An alert stands until what it is about has moved on: the declaration is no longer waiting, the window is over, the
# case has been decided.
_ALERTS: Final = """
SELECT a.event_id, a.service, a.alert, a.subject, a.unit_code, a.unit_path, a.manager_a, a.manager_b, a.escalated_to,
    a.due_at, a.raised_at, CAST(NULL AS text) AS plan_id, CAST(NULL AS text) AS customer_code,
    CAST(NULL AS text) AS case_kind, d.name,
    a.alert = 'code_range_low' OR coalesce(CASE a.alert WHEN 'pre_review_overdue' THEN d.waiting_for = 'pre_review'
        ELSE d.waiting_for = 'centre' END, false) AS open
FROM alert_view a LEFT JOIN declaration_view d ON d.declaration_id = a.subject
UNION ALL
SELECT e.event_id, 'claims', e.event, e.subject, e.unit_code, e.unit_path, e.manager_a, e.manager_b, NULL,
    e.ends_at, e.happened_at, e.plan_id, e.customer_code, e.case_kind, coalesce(p.name, c.name),
    CASE e.event
        WHEN 'case_opened' THEN NOT EXISTS (SELECT FROM claims_event_view f WHERE f.event = 'case_decided'
            AND f.subject = e.subject AND f.case_kind IS NOT DISTINCT FROM e.case_kind
            AND f.plan_id IS NOT DISTINCT FROM e.plan_id AND f.happened_at >= e.happened_at)
        WHEN 'guidance_missing' THEN coalesce(p.state = 'active', false) AND NOT EXISTS (SELECT FROM claims_event_view f
            WHERE f.event = 'progress_judged' AND f.plan_id = e.plan_id)
        WHEN 'review_overdue' THEN coalesce(p.state = 'submitted', false)
        ELSE coalesce(p.state = 'active', false) END
FROM claims_event_view e LEFT JOIN plan_view p ON p.plan_id = e.plan_id
LEFT JOIN customer_view c ON c.customer_code = e.customer_code
WHERE e.event = ANY(:told)
"""


async def alerts(
    reader: AsyncEngine, caller: Principal, asked: AlertFilter, cursor: str | None, limit: int
) -> Page:
    """The latest first. `alert` is `decision_due_soon`, `decision_overdue`, `pre_review_overdue`, `code_range_low`,
    `window_ending`, `window_silent`, `guidance_missing`, `review_overdue` or `case_opened` (for those who may read cases).

    Each row: event_id, service, alert, subject (a declaration, a range's division, a customer code or `uscc:` and a credit
    code), unit_code, unit_path, manager_a, manager_b, escalated_to, due_at (of a window its end), raised_at, plan_id,
    customer_code, case_kind, name, open.
    """
    narrowed = {"alert": asked.alert, "unit": asked.unit, "open": asked.open}
    listing = Listing("alerts", narrowed)
    after = listing.after(cursor, ("", ""))
    told = [*_TOLD, *(_CASES if permit(caller, "cases.read") is None else ())]
    values: Row = {"told": told, "limit": limit + 1}
    conditions = []
    if asked.alert is not None:
        conditions.append("a.alert = :alert")
        values["alert"] = asked.alert
    if asked.unit is not None:
        conditions.append(under_unit("a"))
        values["unit"] = asked.unit
    if asked.open is not None:
        conditions.append("a.open" if asked.open else "NOT a.open")
    if cursor is not None:
        conditions.append("(a.raised_at, a.event_id) < (:raised_at, :event)")
        values |= {"raised_at": instant(after[0]), "event": after[1]}
    async with reading(reader, caller, "declarations.read") as connection:
        rows = await fetch(
            connection,
            f"SELECT * FROM ({_ALERTS}) a WHERE {where(conditions)} "
            "ORDER BY a.raised_at DESC, a.event_id DESC LIMIT :limit",
            values,
        )
    return listing.page(rows, limit, lambda row: (row["raised_at"].isoformat(), row["event_id"]))
