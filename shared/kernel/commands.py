"""What a command leaves when it is carried out; what it answers otherwise is a `Refusal`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True, slots=True)
class Done(Generic[Value]):
    """The resource as it now is, and whether this command made it."""

    value: Value
    created: bool = False
