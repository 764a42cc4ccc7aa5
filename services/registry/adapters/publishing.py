"""From a message of the contracts to a record in the outbox."""

from __future__ import annotations

from services.registry.handlers.ports import Publish
from shared.contracts.envelope import Message
from shared.messaging.records import Outgoing
from shared.messaging.work import Work


def publisher(work: Work, traceparent: str | None = None) -> Publish:
    """Publishes with the transaction of this work, at its instant."""

    def publish(message: Message, id: str) -> None:
        key, value, headers = message.outgoing(id=id, time=work.now, traceparent=traceparent)
        work.publish(Outgoing(message.TOPIC, key, value, headers))

    return publish
