"""What the views hold, recomputed plainly from a set of events: no batches, no order, nothing of the service's own code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from shared.contracts.claims_v1 import ClaimsEvent, PlanState, WindowState
from shared.contracts.envelope import Message
from shared.contracts.operation_v1 import DeadLetterDisposed
from shared.contracts.registry_v1 import (
    CustomerEvent,
    CustomerState,
    DeclarationState,
    RegistryAlert,
    UnitState,
)
from shared.contracts.tiering_v1 import RevenueState, SuspenseEvent, TierChanged, TierState
from shared.contracts.topics import WINDOWS
from shared.messaging.records import Record
from tests.support.states import Sent

Row = dict[str, Any]
StateRecord = tuple[Any, Record]
NOBODY: Row = {"unit_path": None, "manager_a": None, "manager_b": None}


def model(sent: Sequence[Message | Sent], records: Sequence[Record]) -> dict[str, dict[Any, Row]]:
    """View → key → row, as far as the model knows columns by their names in the contract."""
    told = list(zip(sent, records, strict=True))

    def of(kind: type[Message]) -> list[StateRecord]:
        return [(one, record) for one, record in told if isinstance(one, kind)]

    units = _latest(of(UnitState), lambda one: one.unit_code, lambda one, at: (one.version, at))
    customers = _latest(of(CustomerState), lambda one: one.customer_code, lambda one, at: (one.version, -at))
    plans = _latest(of(PlanState), lambda one: one.plan_id, lambda one, at: (one.version, -at))

    def path_of(code: str | None) -> str | None:
        return units[code][0].path if code in units else None

    def owner(code: str | None) -> Row:
        survivor = _survivor(code, customers)
        if survivor is None:
            return NOBODY
        known = customers[survivor][0]
        return {name: getattr(known, name) for name in NOBODY}

    views: dict[str, dict[Any, Row]] = {}
    views["unit_view"] = {
        key: {**_fields(one), "unit_path": one.path, "state_offset": at.offset}
        for key, (one, at) in units.items()
    }
    views["customer_view"] = {
        key: {**_fields(one), "survivor": _survivor(key, customers)} for key, (one, _) in customers.items()
    }
    views["declaration_view"] = {
        key: _fields(one)
        for key, (one, _) in _latest(
            of(DeclarationState), lambda one: one.declaration_id, lambda one, at: (one.version, -at)
        ).items()
    }
    views["plan_view"] = {key: _fields(one) for key, (one, _) in plans.items()}
    views["tier_view"] = {
        key: {**_fields(one), **owner(one.customer_code), "state_offset": at.offset}
        for key, (one, at) in _latest(
            of(TierState), lambda one: (one.customer_code, one.scheme), lambda one, at: (one.version, at)
        ).items()
    }
    views["tier_movement_view"] = {
        (one.customer_code, one.scheme, one.version): {**_fields(one), **owner(one.customer_code)}
        for one, _ in of(TierChanged)
    }
    years = _latest(
        of(RevenueState), lambda one: (one.customer_code, one.year), lambda one, at: (one.version, -at)
    )
    views["revenue_year_view"] = {key: _fields(one) for key, (one, _) in years.items()}
    views["revenue_view"] = {
        (*key, month.month, month.line): {**_fields(month), **owner(key[0])}
        for key, (one, _) in years.items()
        for month in one.months
    }
    views["customer_event_view"] = {
        _id(at): {**_fields(one), **owner(one.customer_code), "done_by": one.by, "record_offset": at.offset}
        for one, at in of(CustomerEvent)
    }
    views["alert_view"] = {
        _id(at): {**_fields(one), "unit_path": path_of(one.unit_code), "raised_at": one.at}
        for one, at in of(RegistryAlert)
    }
    views["claims_event_view"] = {}
    for one, at in of(ClaimsEvent):
        row = {**_fields(one), "done_by": one.by, "case_kind": one.case}
        if one.plan_id in plans:
            row |= {name: getattr(plans[one.plan_id][0], name) for name in NOBODY}
        elif path_of(one.unit_code) is not None:
            row |= {**NOBODY, "unit_path": path_of(one.unit_code)}
        else:
            row |= owner(one.customer_code)
        views["claims_event_view"][_id(at)] = row
    views["window_view"] = _windows(told)
    views["suspense_view"] = _suspense(of(SuspenseEvent), path_of, owner)
    views["dead_letter_view"] = _dead_letters(told, of(DeadLetterDisposed))
    return views


def _latest(told: Iterable[StateRecord], key: Any, rank: Any) -> dict[Any, StateRecord]:
    found: dict[Any, StateRecord] = {}
    for one, record in told:
        if key(one) not in found or rank(found[key(one)][0], found[key(one)][1].offset) < rank(
            one, record.offset
        ):
            found[key(one)] = (one, record)
    return found


def _survivor(code: str | None, customers: dict[str, StateRecord]) -> str | None:
    if code not in customers:
        return None
    seen = [code]
    while (following := customers[seen[-1]][0].merged_into) in customers:
        if following in seen:
            return code
        seen.append(following)
    return seen[-1]


def _windows(told: Sequence[StateRecord]) -> dict[str, Row]:
    last: dict[str, StateRecord] = {}
    for one, record in told:
        if record.topic == WINDOWS:
            key = (record.key or b"").decode()
            if key not in last or last[key][1].offset < record.offset:
                last[key] = (one, record)
    return {
        key: {**_fields(one), "state_offset": at.offset}
        if isinstance(one, WindowState)
        else {"state": "gone"}
        for key, (one, at) in last.items()
    }


def _suspense(told: Sequence[StateRecord], path_of: Any, owner: Any) -> dict[Any, Row]:
    items: dict[Any, list[StateRecord]] = {}
    for one, at in told:
        key = (one.source, one.id, one.customer_code, one.counter_id, one.line, one.kind, one.amount_fen)
        items.setdefault(key, []).append((one, at))
    found = {}
    for key, events in items.items():
        last, at = max(events, key=lambda event: event[1].offset)
        belongs = owner(last.booked_for or last.customer_code)
        found[key] = {
            **_fields(last),
            "changed_at": last.at,
            "held_at": min((one.at for one, _ in events if one.state == "held"), default=None),
            "first_offset": min(record.offset for _, record in events),
            "state_offset": at.offset,
            **belongs,
            "unit_path": path_of(last.counter_id) or belongs["unit_path"] or "/",
        }
    return found


def _dead_letters(told: Sequence[StateRecord], disposals: Sequence[StateRecord]) -> dict[Any, Row]:
    found: dict[Any, Row] = {}
    for one, record in told:
        if record.topic.endswith(".dead-letters.v1") and isinstance(one, Sent):
            said = {name: (value or b"").decode() for name, value in one.headers}
            key = (
                record.topic.removesuffix(".dead-letters.v1"),
                said["x-origin-topic"],
                int(said["x-origin-partition"]),
                int(said["x-origin-offset"]),
            )
            found.setdefault(key, {"state": "open"})["reason"] = said["x-reason"]
    for one, record in sorted(disposals, key=lambda each: each[1].offset):
        key = (record.topic.split(".")[0], one.origin_topic, one.origin_partition, one.origin_offset)
        found.setdefault(key, {"reason": None}).update(
            state=one.state, decided_by=one.decided_by, dead_letter_id=one.dead_letter_id
        )
    return found


def _fields(one: Any) -> Row:
    return {name: getattr(one, name) for name in type(one).model_fields}


def _id(record: Record) -> str:
    return (dict(record.headers)["ce_id"] or b"").decode()


def differences(expected: dict[str, dict[Any, Row]], found: dict[str, dict[Any, Row]]) -> list[str]:
    """Where a view is not what the model says; a column that the model does not know is not looked at."""
    wrong = []
    for view, rows in expected.items():
        wrong += [f"{view} {key}: missing" for key in rows.keys() - found[view].keys()]
        wrong += [f"{view} {key}: surplus" for key in found[view].keys() - rows.keys()]
        for key in rows.keys() & found[view].keys():
            for name in rows[key].keys() & found[view][key].keys():
                known, seen = _plain(rows[key][name]), _plain(found[view][key][name])
                if known != seen and name != "agreements":
                    wrong.append(f"{view} {key} {name}: {known!r} expected, {seen!r} found")
    return sorted(wrong)


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return json.loads(value.model_dump_json()) if hasattr(value, "model_dump_json") else value
