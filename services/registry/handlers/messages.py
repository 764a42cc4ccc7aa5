"""What the registry tells others about units and customers, in the words of the contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from services.registry.domain.customers import Customer, Fact
from services.registry.domain.organisation import Unit
from services.registry.handlers.ports import Publish
from shared.contracts.registry_v1 import (
    AgreementState,
    CounterCode,
    CustomerEvent,
    CustomerState,
    UnitState,
)

_FIELDS: Final = (
    "agreement_no", "signed_on", "ended_on", "signing_unit", "counter_code", "merged_into", "alias", "declaration_id",
)  # fmt: skip


def publish_unit(publish: Publish, unit: Unit, version: int) -> None:
    """The state of a unit."""
    state = UnitState(
        unit_code=unit.code,
        version=version,
        name_zh=unit.name_zh,
        name_en=unit.name_en,
        level=unit.level,  # type: ignore[arg-type]
        parent=unit.parent,
        path=unit.path,
        lines=unit.lines,  # type: ignore[arg-type]
        division=unit.division,
        city_group=unit.city_group,
        valid_from=unit.valid_from,
        valid_to=unit.valid_to,
    )
    publish(state, f"unit|{unit.code}|{version}")


def customer_state(customer: Customer, units: Mapping[str, Unit], as_of: datetime) -> CustomerState:
    """The whole state of a customer after one transaction."""
    unit = units[customer.unit_code]
    return CustomerState(
        customer_code=customer.code,
        version=customer.version,
        name=customer.name,
        uscc=customer.uscc,
        kind=customer.kind,
        status=customer.status,
        merged_into=customer.merged_into,
        unit_code=customer.unit_code,
        unit_path=unit.path,
        city_group=unit.city_group,
        division=customer.division,
        industry=customer.industry,
        upstream_granted_by_province=customer.upstream_granted_by_province,
        manager_a=customer.manager_a,
        manager_b=customer.manager_b,
        lead=customer.lead,
        aliases=customer.aliases,
        counter_codes=tuple(
            CounterCode(
                code=each.code,
                valid_from=each.valid_from,
                valid_to=each.valid_to,
                unit_code=each.unit_code,
                counter_id=each.counter_id,
            )
            for each in customer.counter_codes
        ),
        registered_at=customer.registered_at,
        agreements=tuple(
            AgreementState(
                agreement_no=each.agreement_no,
                signed_on=each.signed_on,
                ends_on=each.ends_on,
                lines=each.lines,  # type: ignore[arg-type]
                state=each.state,
                ended_on=each.ended_on,
                unit_code=each.unit_code,
                recorded_at=each.recorded_at,
            )
            for each in customer.agreements
        ),
        as_of=as_of,
    )


def publish_customer(
    publish: Publish,
    customer: Customer,
    facts: Sequence[Fact],
    units: Mapping[str, Unit],
    by: str,
    at: datetime,
) -> None:
    """One state record, and an event for each fact that led to it."""
    state = customer_state(customer, units, at)
    publish(state, state.event_id)
    for ordinal, fact in enumerate(facts):
        details: dict[str, Any] = {name: fact.details[name] for name in _FIELDS if name in fact.details}
        ends_on = fact.details.get("ends_on")
        event = CustomerEvent(
            customer_code=customer.code,
            customer_version=customer.version,
            event=fact.what,  # type: ignore[arg-type]
            happened_at=fact.at or at,
            by=fact.by or by,
            unit_code=customer.unit_code,
            ends_on=ends_on if isinstance(ends_on, date) else None,
            **details,
        )
        publish(event, event.event_id(ordinal))
