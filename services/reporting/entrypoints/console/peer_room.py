"""Lists that another service keeps and this one has no view of: where it is away, the page says so instead of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from services.reporting.adapters.peers import ServiceName
from services.reporting.entrypoints.console.forms import Form
from services.reporting.entrypoints.console.parts import ROWS, Desk
from shared.problems import Problem


async def show_list(
    desk: Desk,
    template: str,
    service: ServiceName,
    path: str,
    asked: Mapping[str, Any],
    *,
    refused: Problem | None = None,
    form: Form | None = None,
    **shown: Any,
) -> Response:
    """A page of the list with `rows` and `next_cursor`, or with why there are none."""
    away: Problem | None = None
    rows: list[Any] = []
    following: str | None = None
    try:
        found = await desk.get(service, path, {**asked, "limit": ROWS})
        rows, following = found["items"] or [], found["next_cursor"]
    except Problem as missing:
        away = missing
    return desk.show(
        template,
        refused=refused or away,
        status=refused.status if refused else 200,
        form=form,
        rows=rows,
        next_cursor=following,
        **shown,
    )
