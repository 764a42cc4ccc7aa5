"""How this process reaches Kafka, in the words of each of the two clients it uses."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from shared.settings import ServiceSettings


@dataclass(frozen=True, slots=True, repr=False)
class KafkaAccess:
    """Address and credentials; never printed."""

    bootstrap: str
    security: str = "PLAINTEXT"
    mechanism: str = ""
    user: str = ""
    password: str = ""
    ca_file: str | None = None

    @classmethod
    def of(cls, settings: ServiceSettings) -> KafkaAccess:
        return cls(
            settings.kafka_bootstrap,
            settings.kafka_security,
            settings.kafka_mechanism,
            settings.kafka_user,
            settings.kafka_password.get_secret_value(),
            None if settings.kafka_ca_file is None else str(settings.kafka_ca_file),
        )

    def aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of an aiokafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security,
        }
        if self.security.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=self.ca_file)
        if self.security.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options

    def librdkafka(self) -> dict[str, Any]:
        """Properties of a confluent-kafka client."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security,
        }
        if self.ca_file is not None:
            options["ssl.ca.location"] = self.ca_file
        if self.security.startswith("SASL"):
            options |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password,
            }
        return options
