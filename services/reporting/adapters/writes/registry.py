"""Views of what the registry tells: units, customers, what happened to them, declarations, alerts."""

from __future__ import annotations

from typing import Any, Final

import orjson

from services.reporting.adapters.writes.tables import BY_VERSION, BY_VERSION_AND_OFFSET, FIRST_OFFSET, Table
from shared.contracts.registry_v1 import (
    CustomerEvent,
    CustomerState,
    DeclarationState,
    RegistryAlert,
    UnitState,
)
from shared.messaging.states import StateRecord


def listed(values: Any) -> str:
    """A list as a column takes it."""
    return orjson.dumps(list(values)).decode()


def _unit(told: StateRecord[UnitState]) -> tuple[Any, ...]:
    unit = told.state
    return (
        unit.unit_code,
        unit.version,
        unit.name_zh,
        unit.name_en,
        unit.level,
        unit.parent,
        unit.path.rstrip("/"),
        listed(unit.lines),
        unit.division,
        unit.valid_from,
        unit.valid_to,
        told.record.offset,
    )


UNITS: Final = Table[StateRecord[UnitState]](
    "unit_view",
    {
        "unit_code": "text",
        "version": "bigint",
        "name_zh": "text",
        "name_en": "text",
        "level": "text",
        "parent": "text",
        "unit_path": "text",
        "lines": "text[]",
        "division": "text",
        "valid_from": "date",
        "valid_to": "date",
        "state_offset": "bigint",
    },
    ("unit_code",),
    _unit,
    BY_VERSION_AND_OFFSET,
)


def _customer(told: StateRecord[CustomerState]) -> tuple[Any, ...]:
    customer = told.state
    in_force = [
        each.model_dump(mode="json", include={"agreement_no", "signed_on", "ends_on", "lines"})
        for each in customer.agreements
        if each.state == "in_force"
    ]
    return (
        customer.customer_code,
        customer.version,
        customer.name,
        customer.uscc,
        customer.kind,
        customer.status,
        customer.merged_into,
        # Until the chain of merges has been followed, each customer stands for itself.
        customer.customer_code,
        customer.unit_code,
        customer.unit_path.rstrip("/"),
        customer.division,
        customer.industry,
        customer.manager_a,
        customer.manager_b,
        customer.lead,
        customer.registered_at,
        listed(customer.aliases),
        listed(code.model_dump(mode="json") for code in customer.counter_codes),
        listed(in_force),
        len(in_force),
        listed(agreement.model_dump(mode="json") for agreement in customer.agreements),
        customer.as_of,
    )


CUSTOMERS: Final = Table[StateRecord[CustomerState]](
    "customer_view",
    {
        "customer_code": "text",
        "version": "bigint",
        "name": "text",
        "uscc": "text",
        "kind": "text",
        "status": "text",
        "merged_into": "text",
        "survivor": "text",
        "unit_code": "text",
        "unit_path": "text",
        "division": "text",
        "industry": "text",
        "manager_a": "text",
        "manager_b": "text",
        "lead": "text",
        "registered_at": "timestamptz",
        "aliases": "text[]",
        "counter_codes": "jsonb",
        "agreements": "jsonb",
        "agreements_in_force": "integer",
        "agreement_history": "jsonb",
        "as_of": "timestamptz",
    },
    ("customer_code",),
    _customer,
    BY_VERSION,
)


def _customer_event(told: StateRecord[CustomerEvent]) -> tuple[Any, ...]:
    event = told.state
    return (
        told.event.id,
        event.customer_code,
        event.customer_version,
        event.event,
        event.happened_at,
        event.by,
        event.unit_code,
        event.counter_code,
        event.agreement_no,
        event.signed_on,
        event.ends_on,
        event.ended_on,
        event.signing_unit,
        event.declaration_id,
        event.merged_into,
        told.record.partition,
        told.record.offset,
    )


CUSTOMER_EVENTS: Final = Table[StateRecord[CustomerEvent]](
    "customer_event_view",
    {
        "event_id": "text",
        "customer_code": "text",
        "customer_version": "bigint",
        "event": "text",
        "happened_at": "timestamptz",
        "done_by": "text",
        "unit_code": "text",
        "counter_code": "text",
        "agreement_no": "text",
        "signed_on": "date",
        "ends_on": "date",
        "ended_on": "date",
        "signing_unit": "text",
        "declaration_id": "text",
        "merged_into": "text",
        "partition": "integer",
        "record_offset": "bigint",
    },
    ("event_id",),
    _customer_event,
    owner="customer_code",
    folded=FIRST_OFFSET,
)


def _declaration(told: StateRecord[DeclarationState]) -> tuple[Any, ...]:
    declaration = told.state
    return (
        declaration.declaration_id,
        declaration.version,
        declaration.state,
        declaration.declared_by,
        declaration.declarer,
        declaration.name,
        declaration.uscc,
        declaration.unit_code,
        declaration.unit_path.rstrip("/"),
        declaration.pre_review_unit,
        declaration.deciding_unit,
        declaration.deciding_path.rstrip("/"),
        listed(declaration.expected_lines),
        declaration.expected_revenue_fen,
        declaration.manager_a,
        declaration.manager_b,
        declaration.submitted_at,
        declaration.arrived_at,
        declaration.waiting_for,
        declaration.warn_at,
        declaration.due_at,
        declaration.warned_at,
        declaration.breached_at,
        declaration.escalated_to,
        declaration.decided_at,
        declaration.decided_by,
        declaration.decision_seconds,
        declaration.customer_code,
        declaration.as_of,
    )


DECLARATIONS: Final = Table[StateRecord[DeclarationState]](
    "declaration_view",
    {
        "declaration_id": "text",
        "version": "bigint",
        "state": "text",
        "declared_by": "text",
        "declarer": "text",
        "name": "text",
        "uscc": "text",
        "unit_code": "text",
        "unit_path": "text",
        "pre_review_unit": "text",
        "deciding_unit": "text",
        "deciding_path": "text",
        "expected_lines": "text[]",
        "expected_revenue_fen": "numeric",
        "manager_a": "text",
        "manager_b": "text",
        "submitted_at": "timestamptz",
        "arrived_at": "timestamptz",
        "waiting_for": "text",
        "warn_at": "timestamptz",
        "due_at": "timestamptz",
        "warned_at": "timestamptz",
        "breached_at": "timestamptz",
        "escalated_to": "text",
        "decided_at": "timestamptz",
        "decided_by": "text",
        "decision_seconds": "bigint",
        "customer_code": "text",
        "as_of": "timestamptz",
    },
    ("declaration_id",),
    _declaration,
    BY_VERSION,
)


def _alert(told: StateRecord[RegistryAlert]) -> tuple[Any, ...]:
    alert = told.state
    return (
        told.event.id,
        "registry",
        alert.alert,
        alert.subject,
        alert.unit_code,
        alert.escalated_to,
        alert.due_at,
        alert.at,
        told.record.partition,
        told.record.offset,
    )


ALERTS: Final = Table[StateRecord[RegistryAlert]](
    "alert_view",
    {
        "event_id": "text",
        "service": "text",
        "alert": "text",
        "subject": "text",
        "unit_code": "text",
        "escalated_to": "text",
        "due_at": "timestamptz",
        "raised_at": "timestamptz",
        "partition": "integer",
        "record_offset": "bigint",
    },
    ("event_id",),
    _alert,
    folded=FIRST_OFFSET,
)
