"""Records for tests of the contracts, in both modes."""

from __future__ import annotations

import json
from typing import Any

from shared.contracts.envelope import Headers
from shared.messaging.records import Record

SALE: dict[str, Any] = {
    "customer_code": "3205000000011",
    "counter_id": "32050001",
    "line": "express",
    "kind": "sale",
    "amount": "1234.50",
    "pieces": 41,
    "occurred_at": "2026-01-15T09:31:07+08:00",
    "business_date": "2026-01-15",
    "settlement": "cash",
    "manager_id": None,
    "clerk_id": None,
    "product": None,
    "destination": None,
    "reverses": None,
}
ATTRIBUTES: dict[str, Any] = {
    "specversion": "1.0",
    "id": "320500-20260115-000123",
    "source": "/counters/320500",
    "type": "keypost.counter.transaction.v1",
    "time": "2026-01-15T09:31:07+08:00",
}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def record(value: bytes | None, headers: Headers = (), key: bytes | None = b"3205000000011") -> Record:
    return Record("counter.transactions.v1", 0, 0, key, value, headers, 0)


def binary(
    data: Any = SALE,
    *,
    value: bytes | None = None,
    attributes: dict[str, Any] | None = None,
    headers: Headers = (),
    content_type: bytes | None = b"application/json",
) -> Record:
    """A record in binary mode. `attributes` change those of the example; None leaves one out."""
    merged = {**ATTRIBUTES, **(attributes or {})}
    made: list[tuple[str, bytes | None]] = [] if content_type is None else [("content-type", content_type)]
    for name, content in merged.items():
        if content is not None:
            made.append((f"ce_{name}", content if isinstance(content, bytes) else str(content).encode()))
    return record(json.dumps(data).encode() if value is None else value, (*made, *headers))


def structured(
    data: Any = SALE,
    *,
    attributes: dict[str, Any] | None = None,
    content_type: bytes | None = b"application/cloudevents+json",
) -> Record:
    """A record in structured mode. `attributes` change those of the example, also to null."""
    document = {**ATTRIBUTES, "datacontenttype": "application/json", "data": data, **(attributes or {})}
    headers: Headers = () if content_type is None else (("content-type", content_type),)
    return record(json.dumps(document).encode(), headers)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in SALE.items() if key != name}


def changed(**fields: Any) -> dict[str, Any]:
    return {**SALE, **fields}
