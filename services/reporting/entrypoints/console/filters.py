"""Filters that stand in addresses: an empty field of a form is no filter, and nothing reaches the database that it cannot
hold."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

_NO_NUL = r"^[^\x00]*$"

Words = Annotated[str | None, Query(max_length=255, pattern=_NO_NUL)]
"""What somebody searches for."""
Unit = Annotated[str | None, Query(max_length=64, pattern=_NO_NUL)]
"""A unit by its name or its code (`Names.unit_meant`)."""
Code = Annotated[str | None, Query(max_length=255, pattern=_NO_NUL)]
