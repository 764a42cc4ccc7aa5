"""What somebody should look at: limits that warn or are broken, windows that end or are silent, cases to decide (REP-10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.reporting.adapters.reads import Reads
from services.reporting.adapters.reads.rows import given, in_unit
from shared.auth.policy import permit
from shared.auth.principals import Principal
from shared.listing import Column, KeysetList, Order, Page


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What a list of alerts is narrowed to; `open` means what it is about still stands."""

    alert: str | None = None
    unit: str | None = None
    open: bool | None = True


OF_PLANS: Final = ("window_ending", "window_silent", "guidance_missing", "review_overdue")
OF_CASES: Final = ("case_opened",)
"""Events of claims that somebody should look at; those of cases are for those who may read cases."""

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
WHERE e.event = ANY(:of_claims)
"""


_LIST: Final = KeysetList(
    "alerts",
    "declarations.read",
    f"SELECT a.* FROM ({_ALERTS}) a",
    orders={
        "raised": Order(
            (Column("a.raised_at", "raised_at", "timestamptz"), Column("a.event_id", "event_id")),
            descending=True,
        )
    },
    filters={"alert": "a.alert = :alert", "unit": in_unit("a"), "open": "a.open = :open"},
)


async def alerts(reads: Reads, caller: Principal, asked: AlertFilter, cursor: str | None, limit: int) -> Page:
    """The latest first. `alert` is `decision_due_soon`, `decision_overdue`, `pre_review_overdue`, `code_range_low`,
    `window_ending`, `window_silent`, `guidance_missing`, `review_overdue` or `case_opened` (for those who may read cases).

    Each row: event_id, service, alert, subject (a declaration, a range's division, a customer code or `uscc:` and a credit
    code), unit_code, unit_path, manager_a, manager_b, escalated_to, due_at (of a window its end), raised_at, plan_id,
    customer_code, case_kind, name, open.
    """
    of_claims = [*OF_PLANS, *(OF_CASES if permit(caller, "cases.read") is None else ())]
    return await _LIST.read(reads.reader, caller, given(asked), cursor, limit, given={"of_claims": of_claims})
