"""All messages of the system in one list, from which schemas, AsyncAPI documents and the compatibility check
come.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from shared.contracts.claims_v1 import ClaimsEvent, PlanState, WindowState
from shared.contracts.counter_v1 import ControlTotal, TransactionData
from shared.contracts.envelope import Message, schema_uri
from shared.contracts.operation_v1 import DISPOSED
from shared.contracts.registry_v1 import (
    CustomerEvent,
    CustomerState,
    DeclarationState,
    RegistryAlert,
    UnitState,
)
from shared.contracts.tiering_v1 import Receipt, RevenueState, SuspenseEvent, TierChanged, TierState

MESSAGES: Final[tuple[type[Message], ...]] = (
    TransactionData,
    ControlTotal,
    UnitState,
    CustomerState,
    CustomerEvent,
    DeclarationState,
    RegistryAlert,
    TierChanged,
    TierState,
    RevenueState,
    SuspenseEvent,
    Receipt,
    PlanState,
    WindowState,
    ClaimsEvent,
    *DISPOSED.values(),
)

EXAMPLES: Final = Path(__file__).with_name("examples")
"""One golden example for each message: the structured event `<type>.json`."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema(message: type[Message]) -> dict[str, Any]:
    """The JSON Schema 2020-12 of a message's `data`: what a reader has to accept."""
    made = message.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, "$id": schema_uri(message.TYPE), **made}
