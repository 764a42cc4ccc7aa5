"""Types of what arrives over HTTP where the usual ones would accept more than is meant.

A day lies in the stated range (`shared.kernel.days`): outside it no rule can compute, and the database writes infinities. A
flag is `true` or `false` and nothing that somebody might read as one of them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StrictBool
from pydantic_core import PydanticCustomError

from shared.kernel.days import FIRST_DAY, LAST_DAY, within_range


def _within_range(day: date) -> date:
    if not within_range(day):
        raise PydanticCustomError(
            "day_out_of_range",
            "the day must lie from {first} to {last}",
            {"first": FIRST_DAY.isoformat(), "last": LAST_DAY.isoformat()},
        )
    return day


StatedDay = Annotated[date, AfterValidator(_within_range)]
"""A day that may be named at all."""


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[StrictBool, BeforeValidator(_flag, json_schema_input_type=bool)]
"""A flag in a query, where everything is text. In a body use pydantic's `StrictBool`."""
