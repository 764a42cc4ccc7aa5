"""Parameters in paths and queries: what every service asks of them, so that none can reach the database and fail there.

PostgreSQL has no text with NUL and no integer beyond 64 bits. Either would come back as an internal error, which says
that we are at fault and that the same request may be sent again.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import Request
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.kernel.days import FIRST_DAY, LAST_DAY
from shared.problems import Problem, field_errors
from shared.texts import language_of

BIGINT_MAX: Final = 2**63 - 1

Number = Annotated[int, Field(ge=0, le=BIGINT_MAX)]
"""The number of a row, or a position in a list: an integer that the database can hold."""


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("contains_nul", "contains the character NUL")
    return value


StorableText = Annotated[str, AfterValidator(_without_nul)]
"""Text in a body that the database can hold."""

DayParameter = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
"""A date within the range that any date must keep."""


async def refuse_nul(request: Request) -> None:
    """422 that names the parameter, where one contains NUL. A dependency of every route."""
    given = [("path", name, str(value)) for name, value in request.path_params.items()]
    given += [("query", name, value) for name, value in request.query_params.multi_items()]
    # A name may hold one as well; it is then of no parameter of ours, and goes back without it.
    faults = [
        {"type": "contains_nul", "loc": (place, name.replace("\0", ""))}
        for place, name, value in given
        if "\0" in value or "\0" in name
    ]
    if faults:
        raise Problem(
            422,
            "invalid_fields",
            "请求中有不符合要求的字段。",
            "Some fields break their rules.",
            errors=field_errors(faults, language_of(request.headers.get("accept-language"))),
        )
