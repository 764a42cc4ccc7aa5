"""A command's session whose services are functions of the test."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import typer
from typer.testing import CliRunner, Result

from cli.instance import Session
from deploy.embedded.instance import Instance
from shared.auth.tokens import ROLES_CLAIM


def token_of(*grants: tuple[str, str, str]) -> str:
    """An unsigned token with these grants: role, unit, path."""
    roles = [{"role": role, "unit": unit, "path": path} for role, unit, path in grants]
    parts = ({"alg": "ES256"}, {ROLES_CLAIM: roles})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "AA"])


@dataclass(slots=True)
class FakeSession(Session):
    """Sends its requests to a function, as a root operator."""

    def token(self, user: str | None = None) -> str:
        return token_of(("centre", "CN", "/CN"), ("steward", "CN", "/CN"))

    def url(self, service: str, path: str = "") -> str:
        return f"http://{service}{path}"


def session(answer: Callable[[httpx.Request], httpx.Response], folder: Path) -> FakeSession:
    client = httpx.Client(transport=httpx.MockTransport(answer))
    return FakeSession(Instance(folder), timeout_s=20, _client=client)


def run(register: Callable[[typer.Typer], None], *arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, list(arguments))


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)
