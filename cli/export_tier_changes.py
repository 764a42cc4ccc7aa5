"""`keypost export tier-changes`: the whole topic of tier changes as a foreign subscriber would read it.

It is read from Kafka itself, with the subscriber's principal and `read_committed`, up to where each partition ended when
the command was called. One partition follows the other, so that the order is the same at every call and that of each
customer is kept.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, BinaryIO, Final

import orjson
import typer
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from cli.command import Call, command_with
from cli.instance import NotNow, Session
from cli.printable import visible
from cli.words import phrase
from deploy.embedded.terminal import say
from shared.contracts.envelope import STRUCTURED
from shared.contracts.topics import TIER_CHANGES

SUBSCRIBER: Final = "subscriber"
_ASK_S: Final = 5.0

_READING: Final[dict[str, Any]] = {
    "group.id": SUBSCRIBER,
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
}

Headers = Sequence[tuple[str, bytes | None]]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Print what the system published.", no_args_is_help=True)
    group.command("tier-changes")(export_tier_changes)
    app.add_typer(group, name="export")


@command_with("data", "timeout")
def export_tier_changes(
    call: Call,
    scheme: Annotated[
        str | None, typer.Option("--scheme", metavar="S", help="Only changes under this scheme.")
    ] = None,
    _json: Annotated[bool, typer.Option("--json", help="The output is JSON lines in any case.")] = False,
) -> None:
    """Print the whole topic of tier changes as structured CloudEvents, one a line, in order per customer."""
    printed = 0
    others: set[str] = set()
    out = sys.stdout.buffer
    for event in tier_changes(call.session):
        found = event["data"].get("scheme") if isinstance(event.get("data"), dict) else None
        if scheme is None or found == scheme:
            _print(out, event)
            printed += 1
        elif isinstance(found, str):
            others.add(found)
    out.flush()
    if scheme is not None and not printed and others:
        say(phrase("cli.export.other_schemes", scheme=visible(scheme), others=sorted(others)))


def _print(out: BinaryIO, event: dict[str, Any]) -> None:
    out.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))


def tier_changes(session: Session) -> Iterator[dict[str, Any]]:
    """Every change that had been committed when this was called, once each, whatever restarts meanwhile."""
    ends = session.keep_trying(lambda: _ends(session))
    for partition, end in sorted(ends.items()):
        for message in _read(session, partition, end):
            key, value = message.key(), message.value()
            yield structured(_raw(key), _raw(value), _headers(message))


def _ends(session: Session) -> dict[int, int]:
    """Where each partition ends now. A transaction that is still open lies before that end and is waited for."""
    admin = AdminClient(session.kafka(SUBSCRIBER))
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    try:
        known = admin.list_topics(TIER_CHANGES, timeout=_ASK_S).topics[TIER_CHANGES]
        if known.error is not None:
            raise NotNow(phrase("cli.export.no_topic", topic=TIER_CHANGES, why=known.error.str()))
        wanted = {TopicPartition(TIER_CHANGES, partition): latest for partition in known.partitions}
        found = admin.list_offsets(wanted, request_timeout=_ASK_S)
        return {place.partition: future.result().offset for place, future in found.items()}
    except KafkaException as problem:
        raise NotNow(phrase("cli.no_answer", who="Kafka", why=problem.args[0].str())) from problem


def _read(session: Session, partition: int, end: int) -> Iterator[Message]:
    """The committed records of one partition before `end`, from its beginning. After a fault it goes on at the record
    after the last one given out."""
    following = 0
    while following < end:
        consumer = Consumer(session.kafka(SUBSCRIBER, **_READING))
        try:
            consumer.assign([TopicPartition(TIER_CHANGES, partition, following)])
            for message in _until(session, consumer, end):
                offset = message.offset()
                if offset is not None and offset >= following:
                    following = offset + 1
                    yield message
            return
        except KafkaException as problem:
            _pause(session, str(problem))
        finally:
            consumer.close()


def _until(session: Session, consumer: Consumer, end: int) -> Iterator[Message]:
    """Polls until the partition is read to `end`. Only the end that Kafka reports tells: what lies before it may be
    marks of transactions, which never arrive."""
    while True:
        message = consumer.poll(_ASK_S)
        if message is None:
            _give_up_if_over(session, phrase("cli.no_answer", who="Kafka", why=f"{_ASK_S:.0f} s"))
            continue
        error, offset = message.error(), message.offset()
        if error is None:
            if offset is not None and offset >= end:
                return
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            if offset is not None and offset >= end:
                return
        elif not error.retriable() and error.code() not in _PASSING:
            raise KafkaException(error)
        else:
            _give_up_if_over(session, error.str())


_PASSING: Final = frozenset((KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT))


def _give_up_if_over(session: Session, reason: str) -> None:
    if session.remaining() <= 0:
        raise session.gave_up(reason)


def _pause(session: Session, reason: str) -> None:
    """Waits a moment before the next try, and says why if it takes longer."""
    tried = False

    def once() -> None:
        nonlocal tried
        if not tried:
            tried = True
            raise NotNow(reason)

    session.keep_trying(once, first_pause_s=0.5)


def _raw(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    found = message.headers() or []
    pairs = found.items() if isinstance(found, dict) else found
    return [(name, _raw(content)) for name, content in pairs]


def structured(key: bytes | None, value: bytes | None, headers: Headers) -> dict[str, Any]:
    """A record in either mode as a structured CloudEvent, extensions such as `traceparent` included."""
    present = {name: content for name, content in headers if content is not None}
    content_type = _text(present.get("content-type", b"application/json"))
    if content_type.partition(";")[0].strip().lower() == STRUCTURED:
        document: dict[str, Any] = orjson.loads(value or b"{}")
        return document
    event: dict[str, Any] = {
        name[3:]: _text(content) for name, content in present.items() if name.startswith("ce_")
    }
    if "traceparent" not in event and "traceparent" in present:
        event["traceparent"] = _text(present["traceparent"])
    if "subject" not in event and key is not None:
        event["subject"] = _text(key)
    event["datacontenttype"] = content_type
    if value is not None:
        try:
            event["data"] = orjson.loads(value)
        except orjson.JSONDecodeError:
            event["data_base64"] = base64.b64encode(value).decode()
    return event


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")
