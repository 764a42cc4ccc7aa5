"""`keypost wait-idle`: when everything that was published or accepted has had its last effect.

A pass asks every service how far it is and Kafka where its partitions end, in this order. A pass finds
nothing to do when every partition is read to its end and no outbox, due timer or other work is left.
Positions and ends only grow: where two passes in a row find the same ones, nothing was on its way between
them either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import typer
from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from cli.command import Call, command_with
from cli.instance import MACHINE, CommandError, NotNow, Session
from cli.words import phrase
from deploy.embedded.terminal import say

_ASK_S: Final = 5.0

Place = tuple[str, int]


def register(app: typer.Typer) -> None:
    app.command("wait-idle")(wait_idle_command)


@command_with("data", "timeout")
def wait_idle_command(call: Call) -> None:
    """Return when everything published or accepted so far has had its last effect in every service. What a service has given
    up is not waited for; it is named."""
    for fault in wait_idle(call.session).faults:
        say(fault)


@dataclass(slots=True)
class Progress:
    """How far every service of an instance is."""

    session: Session
    _admin: AdminClient | None = None
    _reader: Consumer | None = None
    _nothing_between: dict[tuple[Place, int], int] = field(default_factory=dict)

    def of(self, service: str) -> dict[str, Any]:
        """One service's own account. Raises NotNow while it does not answer or is not ready."""
        session = self.session
        try:
            ready = session.client.get(session.url(service, "/health/ready"), timeout=_ASK_S)
            answer = session.client.get(
                session.url(service, "/ops/progress"),
                headers={"Authorization": f"Bearer {session.token(MACHINE)}"},
                timeout=_ASK_S,
            )
        except httpx.TransportError as problem:
            raise NotNow(phrase("cli.no_answer", who=service, why=type(problem).__name__)) from problem
        # A consumer without its partitions shows no positions, which must not pass for having nothing to
        # read.
        if ready.status_code != 200 or answer.status_code >= 500:
            raise NotNow(phrase("cli.not_ready", service=service, status=answer.status_code))
        if answer.status_code != 200:
            raise CommandError(phrase("cli.idle.no_progress", service=service, status=answer.status_code))
        found: dict[str, Any] = answer.json()
        return found

    def ends(self, places: set[Place]) -> dict[Place, int]:
        """Where the partitions end, control records included. Raises NotNow while Kafka is away."""
        if not places:
            return {}
        if self._admin is None:
            self._admin = AdminClient(self.session.kafka())
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = {TopicPartition(topic, partition): latest for topic, partition in places}
        try:
            found = self._admin.list_offsets(wanted, request_timeout=_ASK_S)
            return {(place.topic, place.partition): future.result().offset for place, future in found.items()}
        except KafkaException as problem:
            raise NotNow(phrase("cli.no_answer", who="Kafka", why=problem.args[0].str())) from problem

    def unread(self, wanted: Iterable[tuple[Place, int, int]]) -> dict[tuple[Place, int], int]:
        """How many offsets are still to be read behind each (place, position), up to an end: none where only transaction
        markers lie between. What is not in the answer has nothing left."""
        lagging = [
            (place, position, end)
            for place, position, end in wanted
            if position < end and self._nothing_between.get((place, position)) != end
        ]
        if not lagging:
            return {}
        first: dict[Place, int] = {}
        for place, position, _ in lagging:
            first[place] = min(position, first.get(place, position))
        holding = self._holding(first)
        found: dict[tuple[Place, int], int] = {}
        for place, position, end in lagging:
            if place in holding:
                found[place, position] = end - position
            else:
                self._nothing_between[place, position] = end
        return found

    def _holding(self, first: dict[Place, int]) -> set[Place]:
        """The places where a record comes before the end, read from the given offsets on, all at once.

        The end of an unfinished transaction comes as the end too. Its records are not out yet, and the outbox
        they come from is not empty; a foreign producer's unfinished transaction was never published.
        """
        if self._reader is None:
            properties: dict[str, Any] = {
                "group.id": "keypost.command-line",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
            }
            self._reader = Consumer(self.session.kafka(**properties))
        holding: set[Place] = set()
        left = set(first)
        try:
            self._reader.assign([TopicPartition(*place, offset) for place, offset in first.items()])
            while left:
                message = self._reader.poll(_ASK_S)
                if message is None:
                    raise NotNow(phrase("cli.no_answer", who="Kafka", why=f"{_ASK_S:.0f} s"))
                error = message.error()
                place = (str(message.topic()), int(message.partition() or 0))
                if error is None:
                    holding.add(place)
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise NotNow(phrase("cli.no_answer", who="Kafka", why=error.str()))
                left.discard(place)
        except KafkaException as problem:
            raise NotNow(phrase("cli.no_answer", who="Kafka", why=problem.args[0].str())) from problem
        finally:
            self._reader.unassign()
        return holding

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def look(self) -> Pass:
        """One pass over everything."""
        accounts = {service: self.of(service) for service in self.session.services}
        positions = {service: positions_of(account) for service, account in accounts.items()}
        topics = {topic for places in positions.values() for topic, _partition in places}
        ends = self.ends(
            {place for places in positions.values() for place in places} | self._partitions(topics)
        )
        busy: str | None = None
        for service, account in accounts.items():
            for what in ("outbox_pending", "timers_due", "work_pending"):
                if account.get(what):
                    busy = busy or phrase(f"cli.idle.{what}", service=service, count=account[what])
        # Only where nothing else is left to do: looking for records behind a position costs a read.
        for service, places in positions.items() if busy is None else ():
            subscribed = {topic for topic, _partition in places}
            behind = self.unread(
                (place, places.get(place, 0), end) for place, end in ends.items() if place[0] in subscribed
            )
            for (place, position), _count in behind.items():
                busy = busy or phrase(
                    "cli.idle.behind",
                    service=service,
                    place=f"{place[0]}/{place[1]}",
                    position=position,
                    end=ends[place],
                )
        seen = tuple(sorted((service, *place, at) for service, at_places in positions.items()
                            for place, at in at_places.items()))  # fmt: skip
        faults = [
            phrase(
                "cli.idle.given_up",
                service=service,
                task=fault["task"],
                item=fault["item"],
                failures=fault["failures"],
                error=fault["error"],
            )
            for service, account in accounts.items()
            for fault in account.get("faults", ())
        ]
        timers = [account["next_timer_at"] for account in accounts.values() if account.get("next_timer_at")]
        return Pass(busy, (seen, tuple(sorted(ends.items()))), tuple(timers), tuple(faults))

    def _partitions(self, topics: set[str]) -> set[Place]:
        """All partitions of the topics: one from which nothing was read yet has no position."""
        if not topics:
            return set()
        if self._admin is None:
            self._admin = AdminClient(self.session.kafka())
        try:
            known = self._admin.list_topics(timeout=_ASK_S).topics
        except KafkaException as problem:
            raise NotNow(phrase("cli.no_answer", who="Kafka", why=problem.args[0].str())) from problem
        return {
            (topic, partition) for topic in topics if topic in known for partition in known[topic].partitions
        }

    def lags(self) -> dict[str, int | None]:
        """How many records each service is behind; None for one that does not tell."""
        lags: dict[str, int | None] = {}
        for service in self.session.services:
            try:
                positions = positions_of(self.of(service))
                ends = self.ends(set(positions) | self._partitions({topic for topic, _ in positions}))
                behind = self.unread((place, positions.get(place, 0), end) for place, end in ends.items())
                lags[service] = sum(behind.values())
            except (NotNow, CommandError):
                lags[service] = None
        self.close()
        return lags


@dataclass(frozen=True, slots=True)
class Pass:
    busy: str | None
    """What is still to be done, or None."""
    seen: tuple[Any, ...]
    timers: tuple[str, ...]
    """When each service's next timer is due."""
    faults: tuple[str, ...] = ()
    """What was given up and is not waited for, in words."""


def positions_of(account: dict[str, Any]) -> dict[Place, int]:
    """How far a service is: what it stored, or what it has fetched where only control records followed that."""
    found: dict[Place, int] = {}
    for key in ("positions", "consumed"):
        for topic, partitions in (account.get(key) or {}).items():
            for partition, offset in partitions.items():
                place = (topic, int(partition))
                if offset is not None and offset != OFFSET_INVALID:
                    found[place] = max(found.get(place, 0), int(offset))
    return found


def wait_idle(session: Session, progress: Progress | None = None) -> Pass:
    """Wait until two passes in a row find nothing to do and the same positions. Returns the last pass."""
    own = progress or Progress(session)
    before: Pass | None = None

    def look() -> Pass:
        nonlocal before
        last, before = before, None
        found = own.look()
        if found.busy is not None:
            raise NotNow(found.busy)
        before = found
        if last is None or last.seen != found.seen:
            raise NotNow(phrase("cli.idle.once_more"))
        return found

    try:
        return session.keep_trying(look, first_pause_s=0.02)
    finally:
        if progress is None:
            own.close()
