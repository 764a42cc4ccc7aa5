"""From a message of the contracts to a record in the outbox."""

from __future__ import annotations

from services.claims.handlers.ports import Publish, TellGone
from shared.contracts import envelope
from shared.contracts.claims_v1 import SOURCE, WindowState
from shared.contracts.envelope import Message
from shared.messaging.records import Outgoing
from shared.messaging.work import Work


def publisher(work: Work) -> Publish:
    """Publishes with the transaction of this work, at its instant."""

    def publish(message: Message, id: str) -> None:
        key, value, headers = message.outgoing(id=id, time=work.now)
        work.publish(Outgoing(message.TOPIC, key, value, headers))

    return publish


def tombstones(work: Work) -> TellGone:
    """Publishes that a key of the topic of windows has none any more: a record without a value, which also lets
    compaction forget the key. Its headers say what it is, as those of any event do."""

    def tell(key: str, id: str) -> None:
        record = envelope.write(
            type=WindowState.TYPE, source=SOURCE, id=id, time=work.now, data=b"", subject=key
        )
        work.publish(Outgoing(WindowState.TOPIC, record.key, None, record.headers))

    return tell
