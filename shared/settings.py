"""The settings that every service shares, read once from the environment; no secret has a default."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.topics import RECORD_BYTES


class ServiceSettings(BaseSettings):
    """`KEYPOST_…` in the environment of a service process. Frozen; database addresses carry passwords, so they are
    secrets and never shown."""

    model_config = SettingsConfigDict(env_prefix="KEYPOST_", frozen=True, extra="ignore")

    mode: Literal["development", "sandbox", "production"] = "development"
    instance: int = Field(default=0, ge=0)
    """The stable ordinal of this process among those of its service: its identity in the consumer groups."""
    http_host: str = "127.0.0.1"
    http_port: int = Field(ge=1, le=65535)
    database_url: SecretStr
    reader_database_url: SecretStr
    owner_database_url: SecretStr | None = None
    """Only the `migrate` command needs it."""
    kafka_bootstrap: str
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "SASL_PLAINTEXT"
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca_file: Path | None = None
    unpacked_bytes: int = Field(default=16 * RECORD_BYTES, ge=2 * RECORD_BYTES)
    """What a compressed batch may unpack to; one beyond is given up whole, as one dead letter that names its offsets. Twice
    a record at least, so that what a topic takes as one record is always looked at by itself."""
    jwks_file: Path | None = None
    issuer: str = "keypost-development"
    audience: str = "keypost"
    sandbox_clock: Path | None = None
    failpoints: str = ""
    failpoints_file: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _consistent(self) -> ServiceSettings:
        if self.kafka_security.startswith("SASL") and not (
            self.kafka_user and self.kafka_password.get_secret_value()
        ):
            raise ValueError("KEYPOST_KAFKA_USER and KEYPOST_KAFKA_PASSWORD are needed with SASL")
        if self.sandbox_clock is not None and self.mode != "sandbox":
            raise ValueError(
                "KEYPOST_SANDBOX_CLOCK is for the sandbox only: elsewhere time must not stand still"
            )
        if self.mode == "production":
            if self.failpoints or self.failpoints_file is not None:
                raise ValueError("failpoints are refused in production")
            if self.issuer == "keypost-development":
                raise ValueError("the development issuer is refused in production")
        return self
