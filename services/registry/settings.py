"""Settings of the registry beyond those that every service has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class RegistrySettings(ServiceSettings):
    """`KEYPOST_REGISTRY_DATA` names a folder with an organisation of one's own, in the form of `data/`."""

    data_folder: Path | None = Field(default=None, alias="KEYPOST_REGISTRY_DATA")
