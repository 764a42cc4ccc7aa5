"""Settings of reporting: those that every service has, and where the console finds the other services."""

from __future__ import annotations

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The addresses are those of the embedded default; an installation gives its own. What a person does in the console
    goes there with the person's own token."""

    registry_url: str = "http://127.0.0.1:8101"
    tiering_url: str = "http://127.0.0.1:8102"
    claims_url: str = "http://127.0.0.1:8103"
    reporting_url: str | None = None
    """Reporting's own address as its own process reaches it; left out, the one that it serves on."""

    def service_urls(self) -> dict[str, str]:
        own = self.reporting_url or f"http://{_reachable(self.http_host)}:{self.http_port}"
        return {
            "registry": self.registry_url,
            "tiering": self.tiering_url,
            "claims": self.claims_url,
            "reporting": own,
        }


def _reachable(host: str) -> str:
    """The address to call a server that listens on `host`; one that listens everywhere answers at home as well."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared with, never listened on here.
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
