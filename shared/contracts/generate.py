"""Writes the machine-readable contracts under `docs/`: `python -m shared.contracts.generate`.

`docs/schemas/<type>.json` is the JSON Schema of each message's data, `docs/asyncapi/<service>.json` an
AsyncAPI 3 document for each service and `keypost.json` one for the whole system. All of them come from the
models and the table of topics; a test fails while what is committed differs from what the code says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from shared.contracts.catalogue import EXAMPLES, MESSAGES, schema
from shared.contracts.envelope import Message, schema_uri
from shared.contracts.topics import SERVICES, TOPICS, Topic, dead_letter_topic, relay_topic

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
VERSION: Final = "1.0.0"
SYSTEM: Final = "keypost"

_TITLES: Final = {
    "keypost": "keypost: key accounts of a postal operator",
    "registry": "registry: organisation, customers, codes and agreements",
    "tiering": "tiering: the revenue ledger and customers' tiers",
    "claims": "claims: development plans, exclusive windows and tenders",
    "reporting": "reporting: views, bulletins and the console",
}

_STRING: Final = {"type": "string"}
_PLAIN: Final = "event"
"""What stands for the messages of a topic that none is published for yet."""
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_DEAD_LETTER_HEADERS: Final = (
    "x-reason",
    "x-detail",
    "x-origin-topic",
    "x-origin-partition",
    "x-origin-offset",
    "x-failed-at",
)


def documents() -> dict[str, str]:
    """Every generated file: its path below `docs/` and its text."""
    made = {f"schemas/{message.TYPE}.json": schema(message) for message in MESSAGES}
    made.update({f"asyncapi/{service}.json": asyncapi(service) for service in SERVICES})
    made[f"asyncapi/{SYSTEM}.json"] = asyncapi(None)
    return {path: as_text(content) for path, content in made.items()}


def as_text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def asyncapi(service: str | None) -> dict[str, Any]:
    """The AsyncAPI 3 document of one service: what it does receive and send; of all of them for None.

    Relay positions are a service's own affair and appear nowhere.
    """
    private = {relay_topic(name) for name in SERVICES}
    topics = [
        topic
        for topic in TOPICS
        if topic.name not in private and (service is None or service in (*topic.producers, *topic.consumers))
    ]
    names = {topic.carries or topic.name for topic in topics}
    carried = [message for message in MESSAGES if message.TOPIC in names]
    operations: dict[str, Any] = {}
    for topic in topics:
        if _messages_of(topic) == [_PLAIN]:
            continue  # The topic is there and nothing is on it yet.
        if topic.producers if service is None else service in topic.producers:
            operations[f"send.{topic.name}"] = _operation("send", topic)
        if topic.consumers if service is None else service in topic.consumers:
            operations[f"receive.{topic.name}"] = _operation("receive", topic)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": _TITLES[service or SYSTEM],
            "version": VERSION,
            "description": (
                "Events are CloudEvents 1.0 in the Kafka protocol binding. Readers accept structured and binary mode, "
                "producers here send binary mode; these messages describe binary mode. Unknown fields are ignored. "
                "Read with isolation.level=read_committed."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": operations,
        "components": {
            "messages": {
                **{message.TYPE: _message(message) for message in carried},
                "dead-letter": _dead_letter(),
                _PLAIN: _plain_event(),
            },
            "schemas": {message.TYPE: _without_ids(schema(message)) for message in carried},
        },
    }


def _messages_of(topic: Topic) -> list[str]:
    if topic.name in {dead_letter_topic(name) for name in SERVICES}:
        return ["dead-letter"]
    name = topic.carries or topic.name
    return [message.TYPE for message in MESSAGES if name == message.TOPIC] or [_PLAIN]


def _channel(topic: Topic) -> dict[str, Any]:
    retention = topic.config.get("retention.ms")
    configuration: dict[str, Any] = {"cleanup.policy": topic.config["cleanup.policy"].split(",")}
    if retention is not None:
        configuration["retention.ms"] = int(retention)
    for name in ("retention.bytes", "max.message.bytes"):
        if name in topic.config:
            configuration[name] = int(topic.config[name])
    return {
        "address": topic.name,
        "description": f"{topic.about} Key: {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages_of(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": "0.5.0",
            }
        },
        "x-key": topic.key,
        "x-producers": list(topic.producers),
        "x-consumers": list(topic.consumers),
    }


def _operation(action: str, topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _messages_of(topic)],
    }


def _message(message: type[Message]) -> dict[str, Any]:
    sent = json.loads((EXAMPLES / f"{message.TYPE}.json").read_text(encoding="utf-8"))
    headers = {
        "content-type": "application/json",
        **{f"ce_{name}": value for name, value in sent.items() if name not in ("data", "datacontenttype")},
    }
    return {
        "name": message.TYPE,
        "title": message.__name__,
        "summary": _summary(message),
        "contentType": "application/json",
        "headers": _headers(message),
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"#/components/schemas/{message.TYPE}"},
        },
        "bindings": {"kafka": {"key": _STRING, "bindingVersion": "0.5.0"}},
        "examples": [{"headers": headers, "payload": sent["data"]}],
    }


def _summary(message: type[Message]) -> str:
    return (message.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ").replace("    ", "")


def _headers(message: type[Message] | None) -> dict[str, Any]:
    fixed: dict[str, Any] = {} if message is None else {"const": message.TYPE}
    source: dict[str, Any] = {} if message is None or message.SOURCE is None else {"const": message.SOURCE}
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_type", "ce_source", "ce_id"],
        "properties": {
            "content-type": _STRING,
            "ce_specversion": {"type": "string", "pattern": r"^1\.[0-9]+$"},
            "ce_type": {"type": "string", **fixed},
            "ce_source": {**_NAME, **source},
            "ce_id": _NAME,
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": _STRING,
            "ce_dataschema": {"type": "string"} if message is None else {"const": schema_uri(message.TYPE)},
            "ce_traceparent": {"type": "string", "description": "W3C trace context, carried on."},
        },
    }


def _plain_event() -> dict[str, Any]:
    return {
        "name": "event",
        "title": "Event",
        "summary": "A CloudEvent; its schema is published once the first event of this topic is.",
        "contentType": "application/json",
        "headers": _headers(None),
        "payload": {"type": "object"},
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "dead-letter",
        "title": "DeadLetter",
        "summary": "A message that could not be read or handled, byte for byte, with its own headers and these.",
        "headers": {
            "type": "object",
            "required": list(_DEAD_LETTER_HEADERS),
            "properties": dict.fromkeys(_DEAD_LETTER_HEADERS, _STRING),
        },
        "payload": {},
    }


def _without_ids(made: dict[str, Any]) -> dict[str, Any]:
    """A schema for inclusion in a document: its own definitions move along, its references follow them."""
    name = made["$id"].removeprefix(schema_uri(""))
    text = json.dumps({key: value for key, value in made.items() if key not in ("$id", "$schema")})
    moved: dict[str, Any] = json.loads(text.replace('"#/$defs/', f'"#/components/schemas/{name}/$defs/'))
    return moved


def main() -> int:
    """Writes what has changed and says so; files of messages that no longer exist are left to the
    compatibility check.
    """
    for path, text in documents().items():
        target = DOCS / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            sys.stderr.write(f"wrote docs/{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
