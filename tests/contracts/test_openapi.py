"""The committed OpenAPI descriptions are those that the services publish."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from shared.lifecycle import openapi
from shared.settings import ServiceSettings

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "openapi"
SERVICES = ("registry", "tiering", "claims", "reporting")


def described(service: str) -> str:
    main = importlib.import_module(f"services.{service}.main")
    module = importlib.import_module(f"services.{service}.settings")
    (settings,) = (
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, ServiceSettings) and found is not ServiceSettings
    )
    return openapi(service, main.build, settings)


@pytest.mark.req("PLT-6")
@pytest.mark.parametrize("service", SERVICES)
def test_the_committed_description_is_current(service: str) -> None:
    assert (FOLDER / f"{service}.json").read_text(encoding="utf-8") == described(service), (
        "run `make contracts`"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_every_post_takes_an_idempotency_key_and_every_answer_is_described(service: str) -> None:
    description = json.loads(described(service))
    assert description["openapi"].startswith("3.1")
    for path, operations in description["paths"].items():
        post = operations.get("post")
        if post is not None and path.startswith("/v1"):
            names = {one["name"].lower() for one in post.get("parameters", ())}
            assert "idempotency-key" in names, path
