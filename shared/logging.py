"""Logs: one JSON line per event, or text where a person looks on; libraries that chatter in an outage are slowed.

No personal data: events carry codes, offsets and reasons, never names, telephone numbers or message bodies.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog

from shared.clock import monotonic

NOISY: Final = ("aiokafka", "faststream", "kafka")


class RateLimit(logging.Filter):
    """At most one line per place in the code and interval; the next one tells how many were left out.

    With the broker away the client writes hundreds of lines a minute, and they hide the one that matters.
    """

    def __init__(self, seconds: float = 10.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place = (record.pathname, record.lineno)
        last, left_out = self._seen.get(place, (float("-inf"), 0))
        if monotonic() - last < self._seconds:
            self._seen[place] = (last, left_out + 1)
            return False
        self._seen[place] = (monotonic(), 0)
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more like this were left out)"
            record.args = ()
        return True


def configure(service: str, level: str = "INFO", *, text: bool | None = None) -> None:
    """Set up logging for the process; `text` None means: text if standard error is a terminal."""
    as_text = sys.stderr.isatty() if text is None else text
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _service(service),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    limit = RateLimit()
    handler.addFilter(lambda record: limit.filter(record) if record.name.startswith(NOISY) else True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    # It warns at every start that topics are not made automatically, which is how we want it.
    logging.getLogger("faststream").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def _service(name: str) -> Any:
    def add(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event["service"] = name
        return event

    return add
