"""A counter's way in: transactions published to Kafka by the counters' own client, as any foreign counter does it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, Producer

from cli.instance import CommandError, Exit, Session
from cli.words import phrase
from deploy.embedded.terminal import say
from shared.contracts.topics import COUNTER_TRANSACTIONS, PARTITIONER

_CONTENT_TYPE: Final = ("content-type", b"application/cloudevents+json")
_POLL_S: Final = 0.2
_TIMEOUT_MS_MAX: Final = 2_147_483_647


class CounterFeed:
    """Publishes structured CloudEvents, keyed by customer code. Nothing is lost or overtaken while the broker restarts;
    what the broker has not taken when the command's time is over ends it with exit code 4."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._failed: list[KafkaError] = []
        timeout_ms = max(1000, min(int(session.timeout_s * 1000), _TIMEOUT_MS_MAX))
        properties: dict[str, Any] = {
            "enable.idempotence": True,
            "linger.ms": 5,
            "partitioner": PARTITIONER,
            "message.timeout.ms": timeout_ms,
        }
        self._producer = Producer(session.kafka("counter", **properties))
        self.sent = 0

    def send(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Hand over some events; they are on their way when this returns."""
        for event in events:
            value = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
            key = str(event["data"]["customer_code"]).encode()
            while True:
                try:
                    self._producer.produce(
                        COUNTER_TRANSACTIONS,
                        value=value,
                        key=key,
                        headers=[_CONTENT_TYPE],
                        on_delivery=self._note,
                    )
                    break
                except BufferError:
                    self._producer.poll(_POLL_S)
                    self._check()
            self.sent += 1
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        """Return when the broker has everything."""
        began = time.monotonic()
        announced = False
        while self._producer.flush(_POLL_S):
            self._check()
            waited = time.monotonic() - began
            if waited > self._session.timeout_s:
                raise CommandError(phrase("cli.feed.not_taken"), Exit.TIMEOUT)
            if waited > 3 and not announced:
                announced = True
                say(phrase("cli.feed.waiting"))
        self._check()

    def _note(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._failed.append(error)

    def _check(self) -> None:
        if self._failed:
            raise CommandError(phrase("cli.feed.failed", why=self._failed[0].str()), Exit.TIMEOUT)
