"""The page of metrics. What messaging counts stands in `shared.messaging.metrics`, what a service counts in itself."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


def page() -> tuple[bytes, str]:
    """The metrics of this process in Prometheus' text format, and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
