"""What arrives over HTTP: types where the usual ones would accept more than is meant, and what is asked of every parameter.

A day lies in the stated range (`shared.kernel.days`): outside it no rule can compute, and the database writes infinities. A
flag is `true` or `false` and nothing that somebody might read as one of them. PostgreSQL has no text with NUL and no integer
beyond 64 bits: either would come back as an internal error, which says that we are at fault and that the same request may
be sent again.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import AfterValidator, BeforeValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

from shared.kernel.days import FIRST_DAY, LAST_DAY, within_range
from shared.problems import InvalidFields, Problem, field_errors
from shared.texts import language_of

BIGINT_MAX: Final = 2**63 - 1


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

RowNumber = Annotated[int, Field(ge=1, le=BIGINT_MAX)]
"""The number of a row."""

Position = Annotated[int, Field(ge=0, le=BIGINT_MAX)]
"""A position in a list: the number of the last row of the page before, 0 at the beginning."""


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("contains_nul", "contains the character NUL")
    return value


StorableText = Annotated[str, AfterValidator(_without_nul)]
"""Text in a body that the database can hold."""


async def refuse_nul(request: Request) -> None:
    """422 that names the parameter, where one in the path or the query contains NUL. A dependency of every route."""
    given = [("path", name, str(value)) for name, value in request.path_params.items()]
    given += [("query", name, value) for name, value in request.query_params.multi_items()]
    # A name may hold one as well; it is then of no parameter of ours, and goes back without it.
    faults = [
        {"type": "contains_nul", "loc": (place, name.replace("\0", ""))}
        for place, name, value in given
        if "\0" in value or "\0" in name
    ]
    if faults:
        language = language_of(request.headers.get("accept-language"))
        raise Problem(InvalidFields(field_errors(faults, language)))
