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

from cli.demo_screen import Told
from cli.instance import NotNow, Session
from cli.language import in_language
from cli.printable import visible
from cli.words import word
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
_NAMED: Final = frozenset(("agreement_signed", "agreement_ended", "code_mapped", "code_unmapped", "merged"))
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
            raise NotNow(f"Kafka does not answer ({problem.args[0].str()})") from problem
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

    units: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Names of units, Chinese and English."""
    names: dict[str, str] = field(default_factory=dict)
    """Names of customers and prospects, by code or by `uscc:` and the credit code."""
    held: Counter[str] = field(default_factory=Counter)
    """How many transactions are held under each code that nobody knows."""
    _declarations: dict[str, dict[str, Any]] = field(default_factory=dict)
    _released: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """How many were booked after all, and when the last: by the code they came under and the customer."""

    def say(self, records: Iterator[Record]) -> list[Told]:
        """Everything worth telling among these records; releases of held transactions are told together."""
        found: list[Told] = []
        for record in records:
            found += self._one(record)
        for (code, customer), (count, on) in self._released.items():
            text = in_language(
                f"{count} 笔待处理交易（{visible(code)}）已自动入账：{self._name(customer)}",
                f"{count} held transactions of {visible(code)} booked themselves for {self._name(customer)}",
            )
            found.append(Told(on, text, "suspense.released"))
        self._released.clear()
        return found

    def _one(self, record: Record) -> list[Told]:
        data = record.data
        if record.type == CustomerState.TYPE:
            self.names[data["customer_code"]] = data["name"]
        elif record.type == PlanState.TYPE:
            self.names.setdefault(data.get("customer_code") or f"uscc:{data.get('uscc')}", data["name"])
        elif record.type == DeclarationState.TYPE:
            return self._declaration(data)
        elif record.type == CustomerEvent.TYPE and data["event"] in _NAMED:
            return [self._customer(data)]
        elif record.type == ClaimsEvent.TYPE:
            return [self._claims(data)]
        elif record.type == SuspenseEvent.TYPE:
            self._suspense(data)
        elif record.type == RegistryAlert.TYPE and data["alert"] == "code_range_low":
            text = in_language(f"号段将用尽：{data['subject']}", f"codes are running out: {data['subject']}")
            return [Told(minute(data["at"]), text, "registry.code_range_low", alarming=True)]
        return []

    def _declaration(self, now: dict[str, Any]) -> list[Told]:
        """What has changed since its state before: the state, a warning, a breach."""
        before = self._declarations.get(now["declaration_id"], {})
        if before and before["version"] >= now["version"]:
            return []
        self._declarations[now["declaration_id"]] = now
        about = in_language("申报", "declaration of ") + f"“{visible(now['name'])}”"
        found = []
        if now.get("warned_at") and not before.get("warned_at"):
            text = about + in_language(
                f"将于 {minute(now['due_at'])} 到审批时限", f" is due at {minute(now['due_at'])}"
            )
            found.append(Told(minute(now["warned_at"]), text, "declaration.warned", alarming=True))
        if now.get("breached_at") and not before.get("breached_at"):
            text = about + in_language(
                f"超过48小时未审批，已报{self._unit(now.get('escalated_to'))}",
                f" was not decided in time: {self._unit(now.get('escalated_to'))} is told",
            )
            found.append(Told(minute(now["breached_at"]), text, "declaration.breached", alarming=True))
        if now["state"] != before.get("state"):
            text = about + in_language("：", ": ") + word(now["state"])
            if now.get("waiting_for"):
                text += in_language("，待", ", waiting for ") + self._waiting(now)
            if now.get("customer_code"):
                text += in_language("，赋码 ", ", code ") + now["customer_code"]
            if now.get("decided_by"):
                text += f" ({visible(now['decided_by'])})"
            found.append(Told(minute(now["as_of"]), text, f"declaration.{now['state']}"))
        return found

    def _waiting(self, now: dict[str, Any]) -> str:
        if now["waiting_for"] == "pre_review":
            return f"{word('pre_review')} ({self._unit(now.get('pre_review_unit'))})"
        if now["waiting_for"] == "centre":
            return self._unit(now.get("deciding_unit"))
        return word(now["waiting_for"])

    def _customer(self, data: dict[str, Any]) -> Told:
        who = self._name(data["customer_code"])
        number, code = visible(data.get("agreement_no") or ""), visible(data.get("counter_code") or "")
        unit = self._unit(data.get("signing_unit"))
        zh, en = {
            "agreement_signed": (
                f"{who}：签订协议 {number}（{unit}）",
                f"{who} signed agreement {number} ({unit})",
            ),
            "agreement_ended": (f"{who}：协议 {number} 终止", f"{who}: agreement {number} ended"),
            "code_mapped": (f"网点代码 {code} 对应 {who}", f"counter code {code} now means {who}"),
            "code_unmapped": (
                f"网点代码 {code} 不再对应 {who}",
                f"counter code {code} no longer means {who}",
            ),
            "merged": (f"{who} 合并", f"{who}: two codes of one customer were merged"),
        }[data["event"]]
        return Told(minute(data["happened_at"]), in_language(zh, en), f"customer.{data['event']}")

    def _claims(self, data: dict[str, Any]) -> Told:
        event = data["event"]
        text = f"{self._name(data['subject'])}{in_language('：', ': ')}{self._unit(data.get('unit_code'))} {word(event)}"
        if data.get("stage"):
            text += in_language("，", ", ") + word(data["stage"])
        if data.get("ends_at") and event in ("window_opened", "window_ending", "window_extended"):
            text += in_language("，至 ", ", until ") + minute(data["ends_at"])
        if data.get("agreement_no"):
            text += in_language("，协议 ", ", agreement ") + visible(data["agreement_no"])
        if data.get("lead"):
            text += in_language(f"，{data['lead']}角主导", f", {data['lead']} leads from now on")
        return Told(minute(data["happened_at"]), text, f"claims.{event}", alarming=event in _ALARMING)

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
        return code if known is None else in_language(*known)

    def _name(self, subject: str) -> str:
        known = self.names.get(subject)
        return visible(subject) if known is None else f"{visible(known)} ({visible(subject)})"


def minute(text: str) -> str:
    """An instant to the minute, in Shanghai."""
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
