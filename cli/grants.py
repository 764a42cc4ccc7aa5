"""For which unit a user acts who names none: the unit of one of the grants in the user's own token."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from joserfc import jws

from deploy.embedded.paths import ROOT
from shared.auth.tokens import ROLES_CLAIM


def unit_of(token: str, roles: Sequence[str]) -> str:
    """The unit of the first grant with the earliest of these roles, else of the first grant. The root is no unit that
    earns revenue or has customers; the default unit of the organisation stands for it."""
    # The token is our own and proves nothing here: the service that it is sent to checks it.
    claims = json.loads(jws.extract_compact(token.encode()).payload)
    grants: list[Mapping[str, Any]] = claims.get(ROLES_CLAIM) or []
    ranked = sorted(
        grants, key=lambda grant: roles.index(grant["role"]) if grant["role"] in roles else len(roles)
    )
    if not ranked or "/" not in str(ranked[0]["path"]).strip("/"):
        return default_unit()
    return str(ranked[0]["unit"])


@functools.cache
def default_unit() -> str:
    """The unit to which an instance's organisation gives what names none (`default_unit` of its file)."""
    folder = Path(os.environ.get("KEYPOST_REGISTRY_DATA") or ROOT / "services" / "registry" / "data")
    organisation = yaml.safe_load((folder / "organisation.yaml").read_text("utf-8"))
    return str(organisation["default_unit"])
