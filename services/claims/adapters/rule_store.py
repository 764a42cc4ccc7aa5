"""The rules that windows opened under, kept in the database: a version once loaded is never edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from shared.messaging.work import Work


class RuleEdited(RuntimeError):
    """A rule file says something else under a version that was loaded before; a new version is needed."""


async def store_rules(work: Work, definitions: Mapping[int, Mapping[str, Any]]) -> None:
    """Add the versions that are new. Raises `RuleEdited` for one whose content changed."""
    for version, definition in definitions.items():
        await work.execute(
            "INSERT INTO rule_versions (version, definition, loaded_at) VALUES ($1, $2::text::jsonb, $3)"
            " ON CONFLICT DO NOTHING",
            version,
            orjson.dumps(dict(definition)).decode(),
            work.now,
        )
        stored = await work.fetchval("SELECT definition::text FROM rule_versions WHERE version = $1", version)
        if orjson.loads(stored) != orjson.loads(orjson.dumps(dict(definition))):
            raise RuleEdited(f"version {version} of the rules was edited; add a new version instead")
