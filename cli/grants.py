"""For which unit a user acts who names none: the unit of one of the grants in the user's own token."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cli.transaction_rows import CENTRE_OF_DEFAULT_ORGANISATION
from shared.auth.tokens import ROLES_CLAIM


def unit_of(token: str, roles: Sequence[str]) -> str:
    """The unit of the first grant with the earliest of these roles, else of the first grant. The root is no unit that
    earns revenue or has customers; the centre of the default organisation stands for it."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    grants: list[Mapping[str, Any]] = claims.get(ROLES_CLAIM) or []
    ranked = sorted(
        grants, key=lambda grant: roles.index(grant["role"]) if grant["role"] in roles else len(roles)
    )
    if not ranked or "/" not in str(ranked[0]["path"]).strip("/"):
        return CENTRE_OF_DEFAULT_ORGANISATION
    return str(ranked[0]["unit"])
