"""Settings of claims: those that every service has."""

from __future__ import annotations

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Nothing of its own yet."""
