"""Routes whose refusals are pages: the way to sign in, or a sentence that can be acted on, inside the frame that leads on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from services.reporting.domain.refusals import InvalidFilters
from services.reporting.entrypoints.console.page import shown_problem
from services.reporting.entrypoints.console.parts import console_of, desk_of
from services.reporting.entrypoints.console.visitor import NotSignedIn, manner_of, visitor
from shared.problems import InternalError, NotFound, Problem, field_errors

log = structlog.get_logger(__name__)

_FOR_PROGRAMS: Final = ("/v1/", "/health", "/ops", "/metrics", "/openapi", "/docs", "/static/")
"""Addresses that answer programs; everything else is for people."""


def room() -> APIRouter:
    """A router for the routes of one room."""
    return APIRouter(include_in_schema=False, route_class=ConsoleRoute)


class ConsoleRoute(APIRoute):
    """A route of the console."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            # Before anything is read, so that no change falls between the page and its stream.
            request.state.mark = console_of(request).hub.mark
            try:
                answer: Response = await handler(request)
                return answer
            except NotSignedIn as missing:
                return _to_sign_in(request, expired=missing.expired)
            except RequestValidationError as wrong:
                faults = field_errors(wrong.errors(), manner_of(request).language)
                return await problem_page(request, Problem(InvalidFilters(faults)))
            except Problem as problem:
                return await problem_page(request, problem)
            except Exception:
                # The cause goes to the log alone: it may hold values and the inner workings of the system.
                log.exception("a page failed", path=request.url.path)
                return await problem_page(request, Problem(InternalError()))

        return handled


async def problem_page(request: Request, problem: Problem) -> Response:
    """A refusal with the navigation around it, and without it for somebody who has not signed in."""
    pages = console_of(request).pages
    manner = manner_of(request)
    shown = shown_problem(problem, manner.language)
    try:
        desk = await desk_of(request, await visitor(request))
    except Exception:
        # Whatever keeps the frame from being read must not hide the refusal itself.
        return pages.plain(
            request, manner, "problem.html", status=problem.status, problem=shown, layout="bare.html"
        )
    return desk.show("problem.html", status=problem.status, problem=shown, layout="base.html")


def unknown_addresses(app: FastAPI) -> None:
    """An address that is nothing is a page for people; programs go on getting a problem as JSON."""
    otherwise = app.exception_handlers[HTTPException]

    async def answer(request: Request, error: Exception) -> Response:
        people = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
            _FOR_PROGRAMS
        )
        if isinstance(error, HTTPException) and error.status_code == 404 and people:
            request.state.mark = console_of(request).hub.mark
            return await problem_page(request, Problem(NotFound()))
        found: Response = await otherwise(request, error)  # type: ignore[misc]
        return found

    app.add_exception_handler(HTTPException, answer)


def _to_sign_in(request: Request, *, expired: bool) -> Response:
    query = request.url.query
    here = request.url.path + (f"?{query}" if query else "")
    asked = here if request.method == "GET" else request.url.path
    passed_on = {"next": asked} if asked != "/" else {}
    if expired:
        passed_on["refused"] = "expired"
    address = "/sign-in" + (f"?{urlencode(passed_on)}" if passed_on else "")
    if request.headers.get("hx-request"):
        # A fragment cannot show the sign-in page; the whole page goes there.
        return Response(status_code=401, headers={"hx-redirect": address, "cache-control": "no-store"})
    return RedirectResponse(address, 303, {"cache-control": "no-store"})
