"""What every step of a declaration has in common: it is stored, timed and told, in one version."""

from __future__ import annotations

from dataclasses import replace

from services.registry.domain.declarations import Alert, Declaration, Moved
from services.registry.handlers.declaration_ports import Desk
from shared.contracts.fields import printed_instant
from shared.contracts.registry_v1 import DeclarationState, RegistryAlert


async def keep(before: Declaration | None, moved: Moved, desk: Desk) -> Declaration:
    """Stores what a transaction made of a declaration as its next version, and tells it."""
    after = replace(moved.after, version=1 if before is None else before.version + 1)
    if before is None:
        await desk.declarations.add(after, moved.notes)
    else:
        await desk.declarations.store(after, moved.notes)
    await desk.declarations.schedule(after)
    state = declaration_state(after, desk)
    desk.publish(state, state.event_id)
    for alert in moved.alerts:
        desk.publish(*_alert(after, alert))
    return after


def declaration_state(declaration: Declaration, desk: Desk) -> DeclarationState:
    """The state as others see it: without contacts, address and comments."""
    content = declaration.content
    return DeclarationState(
        declaration_id=declaration.id,
        version=declaration.version,
        state=declaration.state,
        declared_by=declaration.declared_by,
        declarer=declaration.declarer,
        name=content.name,
        uscc=content.uscc,
        unit_code=declaration.unit_code,
        unit_path=declaration.unit_path,
        pre_review_unit=declaration.pre_review_unit,
        deciding_unit=declaration.deciding_unit,
        deciding_path=declaration.deciding_path,
        expected_lines=content.expected_lines,  # type: ignore[arg-type]
        expected_revenue_fen=content.expected_revenue_fen,
        manager_a=content.manager_a,
        manager_b=content.manager_b,
        submitted_at=declaration.submitted_at,
        arrived_at=declaration.arrived_at,
        waiting_for=declaration.waiting_for,
        warn_at=declaration.warn_at,
        due_at=declaration.due_at,
        warned_at=declaration.warned_at,
        breached_at=declaration.breached_at,
        escalated_to=declaration.escalated_to,
        decided_at=declaration.decided_at,
        decided_by=declaration.decided_by,
        decision_seconds=declaration.decision_seconds,
        customer_code=declaration.customer_code,
        as_of=desk.now,
    )


def _alert(declaration: Declaration, alert: Alert) -> tuple[RegistryAlert, str]:
    # A warning is given before the limit ends; the other two are told with the instant at which it did.
    at = alert.due_at if alert.kind != "decision_due_soon" else (declaration.warned_at or alert.due_at)
    message = RegistryAlert(
        alert=alert.kind,
        subject=declaration.id,
        unit_code=alert.unit_code,
        escalated_to=alert.escalated_to,
        due_at=alert.due_at,
        at=at,
    )
    return message, f"alert|{alert.kind}|{declaration.id}|{printed_instant(at)}"
