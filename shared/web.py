"""The HTTP application that every service has in common: health, metrics, its own descriptions, and its progress."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypedDict

from shared import health, metrics, problems, rewind_routes
from shared.auth.http import Caller, require
from shared.auth.tokens import TokenVerifier
from shared.body_limit import BodyLimit
from shared.http_fields import refuse_nul
from shared.messaging import faults, outbox, positions, timers
from shared.service import Service

ROOT: Final = Path(__file__).resolve().parents[1]
DESCRIPTIONS: Final = ROOT / "docs" / "asyncapi"


class FaultItem(TypedDict):
    """What background work has given up, an item of a task; instants are ISO 8601."""

    task: str
    item: str
    error: str
    failures: int
    first_failed_at: str
    failed_at: str


class Progress(TypedDict):
    """What a service has read and what it has still to do; instants are ISO 8601."""

    service: str
    positions: dict[str, dict[str, int]]
    """topic → partition → the next offset."""
    outbox_pending: int
    timers_due: int
    next_timer_at: str | None
    work_pending: int
    faults: list[FaultItem]
    as_of: str


class Readiness(TypedDict):
    status: Literal["ready", "not ready"]
    reasons: dict[str, str]
    warnings: dict[str, str]


def create_app(service: Service) -> FastAPI:
    """The application of a service; its own routers come after the common routes."""
    app = FastAPI(
        title=service.title,
        version=service.version,
        # FastAPI's own pages load their scripts from a network that an installation may not reach.
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_nul)],
    )
    settings = service.platform.settings
    if settings.jwks_file is not None:
        app.state.tokens = TokenVerifier(
            settings.jwks_file, settings.issuer, settings.audience, mode=settings.mode
        )
    app.state.service = service
    for name, part in service.state.items():
        setattr(app.state, name, part)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.include_router(_common(service, app))
    if service.consumers:
        consumers = {consumer.name: consumer for consumer in service.consumers}
        app.include_router(
            rewind_routes.routes(service.platform.unit_of_work, service.platform.kafka, consumers)
        )
    for router in service.routers:
        app.include_router(router)
    if service.prepare_app is not None:
        service.prepare_app(app)
    return app


def _common(service: Service, app: FastAPI) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @router.get("/health/ready", response_model=Readiness)
    async def ready() -> JSONResponse:
        """Whether the service does its work; 503 with the reasons where it does not. `warnings` name what a person has to
        look at although it does: what background work has given up."""
        reasons = await health.reasons(service.checks())
        warnings = await health.warnings(service.warnings)
        status = "not ready" if reasons else "ready"
        return JSONResponse(
            {"status": status, "reasons": reasons, "warnings": warnings}, 503 if reasons else 200
        )

    @router.get("/metrics", include_in_schema=False)
    async def metrics_page() -> Response:
        content, media_type = metrics.page()
        return Response(content, headers={"content-type": media_type})

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_operations_page(app))

    @router.get("/asyncapi", include_in_schema=False)
    async def asyncapi() -> Response:
        for suffix, media_type in ((".yaml", "application/yaml"), (".json", "application/json")):
            file = DESCRIPTIONS / f"{service.platform.name}{suffix}"
            if file.exists():
                return Response(file.read_bytes(), media_type=media_type)
        return PlainTextResponse("no description", 404)

    @router.get("/ops/progress")
    async def ops_progress(caller: Caller) -> Progress:
        """How far this service has come: what it has read, and what it has still to publish, fire or do."""
        require(caller, "ops.progress")
        return await progress(service)

    return router


async def progress(service: Service) -> Progress:
    """One consistent picture: everything from one snapshot of the database, so that work which passes from a topic
    to the outbox between two questions is seen in one place or the other."""
    # Before the snapshot: rows that the relay publishes after it may count as pending, never the other way round.
    published = 0 if service.relay is None else service.relay.published
    now = service.platform.clock.now()
    # The service's own work comes before the snapshot too: what it finishes meanwhile shows up in the tables.
    pending = 0 if service.work_pending is None else await service.work_pending()
    async with service.platform.writer.connect() as connection:
        snapshot: AsyncConnection = await connection.execution_options(isolation_level="REPEATABLE READ")
        read = await positions.all_positions(snapshot)
        unpublished = await outbox.pending(snapshot, published)
        due, next_at = await timers.due(snapshot, now)
        given_up = await faults.listed(snapshot)
    return {
        "service": service.platform.name,
        "positions": {
            topic: {str(partition): offset for partition, offset in sorted(offsets.items())}
            for topic, offsets in sorted(read.items())
        },
        "outbox_pending": unpublished,
        "timers_due": due,
        "next_timer_at": None if next_at is None else next_at.isoformat(),
        "work_pending": pending,
        "faults": [
            {
                "task": fault.task,
                "item": fault.item,
                "error": fault.error,
                "failures": fault.failures,
                "first_failed_at": fault.first_failed_at.isoformat(),
                "failed_at": fault.failed_at.isoformat(),
            }
            for fault in given_up
        ],
        "as_of": now.isoformat(),
    }


def _operations_page(app: FastAPI) -> str:
    """A plain list of the operations, made from the same description that `/openapi.json` gives to programs."""
    description = app.openapi()
    rows = []
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            text = operation.get("description") or operation.get("summary", "")
            rows.append(
                f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td>"
                f"<td>{escape(text)}</td></tr>"
            )
    title = escape(app.title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font-family:sans-serif;margin:2rem}td{padding:.3rem .8rem;border-top:1px solid #ccc;"
        f"vertical-align:top}}</style><h1>{title}</h1>"
        '<p><a href="/openapi.json">OpenAPI</a> · <a href="/asyncapi">AsyncAPI</a></p>'
        f"<table>{''.join(rows)}</table></html>"
    )
