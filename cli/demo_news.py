"""What the services tell while a demo runs, read from their topics and said in words: nothing of it is made up here."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from cli.demo_screen import News
from cli.instance import NotNow, Session
from cli.printable import visible
from cli.words import clauses, named, phrase, word
from shared.clock import SHANGHAI
from shared.contracts.claims_v1 import ClaimsEvent, PlanState
from shared.contracts.registry_v1 import CustomerEvent, CustomerState, DeclarationState, RegistryAlert
from shared.contracts.tiering_v1 import SuspenseEvent

_TOPICS: Final = tuple(
    dict.fromkeys(
        message.TOPIC
        for message in (
            DeclarationState, CustomerState, CustomerEvent, RegistryAlert, PlanState, ClaimsEvent, SuspenseEvent,
        )
    )
)  # fmt: skip
_BATCH: Final = 500
_READ_S: Final = 0.01
_ASK_S: Final = 10.0
_ALARMING: Final = frozenset(
    ("window_expired", "window_silent", "case_opened", "review_overdue", "plan_refused")
)
_SENTENCES: Final = {
    "agreement_signed": "cli.demo.agreement_signed",
    "agreement_ended": "cli.demo.agreement_ended",
    "code_mapped": "cli.demo.code_mapped",
    "code_unmapped": "cli.demo.code_unmapped",
    "merged": "cli.demo.merged",
}
"""What is told of a customer by its events; the rest comes with declarations and imports."""


class Record(NamedTuple):
    """One committed record of a topic that is followed."""

    type: str
    data: dict[str, Any]


class Tail:
    """Follows the topics from where they end now."""

    def __init__(self, session: Session) -> None:
        properties: dict[str, Any] = {
            "group.id": "keypost.demo",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 20,
        }
        self._reader = Consumer(session.kafka(**properties))
        session.keep_trying(self._assign)

    def _assign(self) -> None:
        try:
            known = self._reader.list_topics(timeout=_ASK_S).topics
        except KafkaException as problem:
            raise NotNow(phrase("cli.no_answer", who="Kafka", why=problem.args[0].str())) from problem
        places = [
            TopicPartition(topic, partition, OFFSET_END)
            for topic in _TOPICS
            if topic in known
            for partition in known[topic].partitions
        ]
        self._reader.assign(places)
        # The end is found by asking for it, else a record that comes before the first look would be passed over.
        for place in places:
            _low, high = self._reader.get_watermark_offsets(place, timeout=_ASK_S)
            self._reader.seek(TopicPartition(place.topic, place.partition, high))

    def news(self) -> Iterator[Record]:
        """What has come since the last look. While the broker is away there is none."""
        while True:
            messages = self._reader.consume(_BATCH, timeout=_READ_S)
            for message in messages:
                value = None if message.error() is not None else message.value()
                if value is None:
                    continue
                headers = dict(message.headers() or ())
                kind = headers.get("ce_type")
                with contextlib.suppress(ValueError):
                    yield Record(kind.decode() if isinstance(kind, bytes) else str(kind), json.loads(value))
            if len(messages) < _BATCH:
                return

    def close(self) -> None:
        self._reader.close()


@dataclass(slots=True)
class Teller:
    """Says records in words. Keeps what it has read: names, and which states were told already."""

    units: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Units by code, with their names in both languages."""
    names: dict[str, str] = field(default_factory=dict)
    """Names of customers and prospects, by code or by `uscc:` and the credit code."""
    held: Counter[str] = field(default_factory=Counter)
    """How many transactions are held under each code that nobody knows."""
    _declarations: dict[str, dict[str, Any]] = field(default_factory=dict)
    _released: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """How many were booked after all, and when the last: by the code they came under and the customer."""

    def say(self, records: Iterator[Record]) -> list[News]:
        """Everything worth telling among these records; releases of held transactions are told together."""
        found: list[News] = []
        for record in records:
            found += self._one(record)
        for (code, customer), (count, on) in self._released.items():
            text = phrase("cli.demo.released", count=count, code=visible(code), customer=self._name(customer))
            found.append(News(on, text, "suspense.released"))
        self._released.clear()
        return found

    def _one(self, record: Record) -> list[News]:
        data = record.data
        if record.type == CustomerState.TYPE:
            self.names[data["customer_code"]] = data["name"]
        elif record.type == PlanState.TYPE:
            self.names.setdefault(data.get("customer_code") or f"uscc:{data.get('uscc')}", data["name"])
        elif record.type == DeclarationState.TYPE:
            return self._declaration(data)
        elif record.type == CustomerEvent.TYPE and data["event"] in _SENTENCES:
            # A merge is an event of both customers; the one that goes tells it.
            return [] if data.get("alias") else [self._customer(data)]
        elif record.type == ClaimsEvent.TYPE:
            return [self._claims(data)]
        elif record.type == SuspenseEvent.TYPE:
            self._suspense(data)
        elif record.type == RegistryAlert.TYPE and data["alert"] == "code_range_low":
            text = phrase("cli.demo.range_low", range=data["subject"])
            return [News(minute(data["at"]), text, "registry.code_range_low", alarming=True)]
        return []

    def _declaration(self, now: dict[str, Any]) -> list[News]:
        """What has changed since its state before: the state, a warning, a breach."""
        before = self._declarations.get(now["declaration_id"], {})
        if before and before["version"] >= now["version"]:
            return []
        self._declarations[now["declaration_id"]] = now
        about = phrase("cli.demo.declaration", name=visible(now["name"]))
        found = []
        if now.get("warned_at") and not before.get("warned_at"):
            text = phrase("cli.demo.due", about=about, moment=minute(now["due_at"]))
            found.append(News(minute(now["warned_at"]), text, "declaration.warned", alarming=True))
        if now.get("breached_at") and not before.get("breached_at"):
            text = phrase("cli.demo.overdue", about=about, unit=self._unit(now.get("escalated_to")))
            found.append(News(minute(now["breached_at"]), text, "declaration.breached", alarming=True))
        if now["state"] != before.get("state"):
            text = phrase("cli.demo.state", about=about, state=word("declaration", now["state"]))
            if now.get("waiting_for"):
                text += phrase("cli.declarations.waiting_for", whom=self._waiting(now))
            if now.get("customer_code"):
                text += phrase("cli.declarations.customer_code", code=now["customer_code"])
            if now.get("decided_by"):
                text += f" ({visible(now['decided_by'])})"
            found.append(News(minute(now["as_of"]), text, f"declaration.{now['state']}"))
        return found

    def _waiting(self, now: dict[str, Any]) -> str:
        if now["waiting_for"] == "pre_review":
            return f"{word('waiting', 'pre_review')} ({self._unit(now.get('pre_review_unit'))})"
        if now["waiting_for"] == "centre":
            return self._unit(now.get("deciding_unit"))
        return word("waiting", now["waiting_for"])

    def _customer(self, data: dict[str, Any]) -> News:
        text = phrase(
            _SENTENCES[data["event"]],
            customer=self._name(data["customer_code"]),
            number=visible(data.get("agreement_no") or ""),
            code=visible(data.get("counter_code") or ""),
            unit=self._unit(data.get("signing_unit")),
            survivor=self._name(data.get("merged_into") or ""),
        )
        return News(minute(data["happened_at"]), text, f"customer.{data['event']}")

    def _claims(self, data: dict[str, Any]) -> News:
        event = data["event"]
        text = phrase(
            "cli.demo.claims",
            subject=self._name(data["subject"]),
            unit=self._unit(data.get("unit_code")),
            event=word("happening", event),
        )
        more = []
        if data.get("stage"):
            more.append(word("stage", data["stage"]))
        if data.get("ends_at") and event in ("window_opened", "window_ending", "window_extended"):
            more.append(phrase("cli.until", moment=minute(data["ends_at"])))
        if data.get("agreement_no"):
            more.append(phrase("cli.demo.agreement", number=visible(data["agreement_no"])))
        if data.get("lead"):
            more.append(phrase("cli.demo.leads", lead=data["lead"]))
        return News(
            minute(data["happened_at"]),
            clauses([text, *more]),
            f"claims.{event}",
            alarming=event in _ALARMING,
        )

    def _suspense(self, data: dict[str, Any]) -> None:
        if data["reason"] != "unknown_code":
            return
        if data["state"] == "held":
            self.held[data["customer_code"]] += 1
        else:
            self.held[data["customer_code"]] -= 1
            if data["state"] == "released":
                booked = (data["customer_code"], data.get("booked_for") or "-")
                count = self._released.get(booked, (0, ""))[0] + 1
                self._released[booked] = (count, minute(data["at"]))

    def _unit(self, code: str | None) -> str:
        if code is None:
            return "-"
        known = self.units.get(code)
        return code if known is None else named(known)

    def _name(self, subject: str) -> str:
        known = self.names.get(subject)
        return visible(subject) if known is None else f"{visible(known)} ({visible(subject)})"


def minute(text: str) -> str:
    """An instant to the minute, in Shanghai."""
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
