"""Identifiers: the only place of the system that makes one out of nothing.

Whatever can be derived (an event's id from a customer's code and version, an import row's id from the file)
is derived where it belongs, so that a repetition gives the same id again.
"""

from __future__ import annotations

import uuid


def new_id() -> str:
    """A new random identifier as text, for what has no natural one (a request, a job, a command)."""
    return str(uuid.uuid4())  # noqa: TID251
