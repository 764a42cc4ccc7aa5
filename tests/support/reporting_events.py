"""Everything that reporting reads beside units, customers and tiers, as its owners publish it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.contracts.claims_v1 import ClaimsEvent, PlanState, WindowState
from shared.contracts.envelope import Message
from shared.contracts.operation_v1 import DISPOSED, DeadLetterDisposed
from shared.contracts.registry_v1 import CustomerEvent, DeclarationState, RegistryAlert
from shared.contracts.tiering_v1 import MonthRevenue, RevenueState, SuspenseEvent
from shared.contracts.topics import WINDOWS, dead_letter_topic
from tests.support.states import SUZHOU, THEN, Sent

OPENED = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
ENDS = datetime(2026, 3, 31, 16, 0, tzinfo=UTC)


def revenue(
    code: str, year: int = 2026, version: int = 1, *months: tuple[Any, ...], **more: Any
) -> RevenueState:
    """`months` are (month, line, fen) or with pieces and transactions as well."""
    return RevenueState(
        customer_code=code,
        year=year,
        version=version,
        months=tuple(
            MonthRevenue(
                month=month,
                line=line,
                amount_fen=fen,
                pieces=rest[0] if rest else 1,
                transactions=rest[1] if rest else 1,
            )
            for month, line, fen, *rest in months
        ),
        **{"as_of": THEN, **more},
    )


def held(code: str, number: str = "1", **changes: Any) -> SuspenseEvent:
    given: dict[str, Any] = {
        "customer_code": code,
        "source": "/counters/320500",
        "id": number,
        "state": "held",
        "reason": "unknown_code",
        "counter_id": "32050001",
        "line": "express",
        "kind": "sale",
        "amount_fen": 8_800,
        "business_date": date(2026, 3, 9),
        "at": THEN,
        **changes,
    }
    return SuspenseEvent(**given)


def declaration(number: str = "D1", version: int = 1, path: str = SUZHOU, **changes: Any) -> DeclarationState:
    given: dict[str, Any] = {
        "declaration_id": number,
        "version": version,
        "state": "submitted",
        "declared_by": "unit",
        "declarer": "reviewer",
        "name": "苏州丝绸有限公司",
        "unit_code": path.rpartition("/")[2],
        "unit_path": path,
        "deciding_unit": "3205",
        "deciding_path": SUZHOU,
        "expected_lines": ("express", "letters"),
        "expected_revenue_fen": 12_000_000,
        "submitted_at": THEN,
        "arrived_at": THEN,
        "waiting_for": "centre",
        "warn_at": THEN + timedelta(hours=36),
        "due_at": THEN + timedelta(hours=48),
        "as_of": THEN,
        **changes,
    }
    return DeclarationState(**given)


def plan(number: str = "P1", version: int = 1, path: str = SUZHOU, **changes: Any) -> PlanState:
    given: dict[str, Any] = {
        "plan_id": number,
        "version": version,
        "state": "active",
        "kind": "regular",
        "customer_code": "A1",
        "name": "苏州织造有限公司",
        "unit_code": path.rpartition("/")[2],
        "unit_path": path,
        "reviewing_unit": "3205",
        "lines": ("express",),
        "manager_a": "manager",
        "submitted_at": OPENED,
        "reviewed_at": OPENED,
        "reviewed_by": "centre",
        "opens_at": OPENED,
        "ends_at": ENDS,
        "settled_at": ENDS + timedelta(hours=24),
        "rule_version": 1,
        "as_of": THEN,
        **changes,
    }
    return PlanState(**given)


def window(key: str = "A1", plan_id: str = "P1", path: str = SUZHOU, **changes: Any) -> WindowState:
    given: dict[str, Any] = {
        "window_key": key,
        "customer_code": None if key.startswith("uscc:") else key,
        "uscc": key.removeprefix("uscc:") if key.startswith("uscc:") else None,
        "name": "苏州织造有限公司",
        "state": "active",
        "plan_id": plan_id,
        "version": 1,
        "unit_code": path.rpartition("/")[2],
        "unit_path": path,
        "manager_a": "manager",
        "kind": "regular",
        "lines": ("express",),
        "opens_at": OPENED,
        "ends_at": ENDS,
        "last_day": date(2026, 3, 31),
        "settled_at": ENDS + timedelta(hours=24),
        "as_of": THEN,
        **changes,
    }
    return WindowState(**given)


def window_gone(key: str = "A1") -> Sent:
    """The tombstone that a window's end leaves: no value, the headers of its event kept."""
    told = Sent.of(window(key))
    return Sent(told.key, None, told.headers, WINDOWS)


def customer_event(code: str, event: str = "updated", version: int = 1, **changes: Any) -> CustomerEvent:
    given: dict[str, Any] = {
        "customer_code": code,
        "customer_version": version,
        "event": event,
        "happened_at": THEN,
        "by": "centre",
        **changes,
    }
    return CustomerEvent(**given)


def claims_event(event: str = "window_opened", subject: str = "A1", **changes: Any) -> ClaimsEvent:
    given: dict[str, Any] = {
        "event": event,
        "subject": subject,
        "customer_code": None if subject.startswith("uscc:") else subject,
        "plan_id": "P1",
        "plan_version": 1,
        "unit_code": "3205",
        "happened_at": THEN,
        "by": "service:claims",
        **changes,
    }
    return ClaimsEvent(**given)


def alert(kind: str = "decision_due_soon", subject: str = "D1", **changes: Any) -> RegistryAlert:
    given: dict[str, Any] = {"alert": kind, "subject": subject, "unit_code": "3205", "at": THEN, **changes}
    return RegistryAlert(**given)


def letter(
    service: str = "tiering",
    origin: tuple[str, int, int] = ("counter.transactions.v1", 2, 41),
    value: bytes | None = b"{",
    reason: str = "not_json",
    headers: tuple[tuple[str, bytes | None], ...] = (),
) -> Sent:
    """A dead letter as `shared.messaging.dead_letters` publishes it, with the headers of its message before ours."""
    topic, partition, offset = origin
    return Sent(
        b"any",
        value,
        (
            *headers,
            ("x-reason", reason.encode()),
            ("x-detail", b"the value is not JSON"),
            ("x-origin-topic", topic.encode()),
            ("x-origin-partition", str(partition).encode()),
            ("x-origin-offset", str(offset).encode()),
            ("x-failed-at", THEN.isoformat().encode()),
        ),
        dead_letter_topic(service),
    )


def disposed(
    service: str = "tiering",
    origin: tuple[str, int, int] = ("counter.transactions.v1", 2, 41),
    state: str = "closed",
    **changes: Any,
) -> DeadLetterDisposed:
    topic, partition, offset = origin
    given: dict[str, Any] = {
        "dead_letter_id": 7,
        "consumer": "transactions",
        "origin_topic": topic,
        "origin_partition": partition,
        "origin_offset": offset,
        "state": state,
        "decided_by": "operator",
        "decided_at": THEN,
        **changes,
    }
    return DISPOSED[service](**given)


def of_every_kind(code: str = "A1") -> list[Message | Sent]:
    """One message for each topic that a view is made of, beside units, customers and tiers."""
    return [
        revenue(code, 2026, 1, (3, "express", 10_000)),
        held(code),
        declaration(customer_code=code),
        plan(customer_code=code),
        window(code),
        customer_event(code),
        claims_event(subject=code),
        alert(),
        letter(),
        disposed(),
    ]
