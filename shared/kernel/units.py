"""Units in the organisation tree by their paths, such as `/CN/32/3205`."""

from __future__ import annotations


def covers(path: str, unit_path: str) -> bool:
    """Whether a unit is the one at `path` or below it: `/CN/32` covers `/CN/32/3205` and not `/CN/321`."""
    return f"{unit_path.rstrip('/')}/".startswith(f"{path.rstrip('/')}/")
