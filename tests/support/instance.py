"""A real instance for the end-to-end tests, driven from outside only: the command line, Kafka and HTTP.

Everything here could be done by a foreign system: it uses `keypost client-config`, `keypost token` and the published
paths, never the product's own code.
"""

from __future__ import annotations

import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from cli.idle import wait_idle
from cli.instance import open_session
from tests.support import compare
from tests.support.prefork import COMMANDS
from tests.support.streams import (
    AdvanceClock,
    ClosePeriod,
    DecideHeld,
    ImportCustomers,
    Phase,
    Publish,
    Scenario,
)

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("kafka", "controller", "postgres", "registry", "tiering", "claims", "reporting")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Instance:
    """One running instance in a folder of its own."""

    data: Path
    start: datetime
    ports: dict[str, int] = field(default_factory=dict)
    _clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    _producer: Producer | None = None
    _readers: dict[str, Consumer] = field(default_factory=dict)

    def keypost(self, *arguments: str, timeout: float = 900) -> Answer:
        """One command of the product, as a user types it."""
        environment = {
            **os.environ,
            "KEYPOST_DATA": str(self.data),
            "KEYPOST_LANGUAGE": "en",
            "KEYPOST_UNREMEMBERED": "1",
        }
        return Answer(*COMMANDS.run(arguments, environment, timeout))

    def must(self, *arguments: str) -> Answer:
        answer = self.keypost(*arguments)
        assert answer.code == 0, (
            f"keypost {' '.join(arguments)} ended with {answer.code}:\n{answer.out}\n{answer.err}"
        )
        return answer

    def up(self) -> None:
        options = [part for name in PORTS for part in (f"--{name}-port", str(self.ports[name]))]
        clock = self.start.isoformat()
        self.must("up", "--detach", "--sandbox", "--clock", clock, *options, "--timeout", "240")

    def down(self) -> None:
        self._producer = None
        while self._readers:
            self._readers.popitem()[1].close()
        self.must("down")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.must("status", "--json").json()
        return found

    # -- Kafka ------------------------------------------------------------------------------------------------------

    def client(self, who: str) -> dict[str, Any]:
        if who not in self._clients:
            lines = self.must("client-config", who).out.splitlines()
            self._clients[who] = dict(line.split("=", 1) for line in lines)
        return self._clients[who]

    def publish(self, records: Sequence[Any]) -> None:
        """Produce records to the counters' topic and wait until the broker has them all. Records of one key keep their
        order even while the broker restarts: an idempotent producer tries again without overtaking."""
        failed: list[object] = []
        producer = self._counter()
        for record in records:
            while True:
                try:
                    producer.produce(
                        "counter.transactions.v1",
                        value=record.value,
                        key=record.key,
                        headers=list(record.headers),
                        on_delivery=lambda error, _: failed.append(error) if error else None,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(300) == 0, "the broker did not take everything"
        assert not failed, failed[:3]

    def _counter(self) -> Producer:
        """The counters' producer: kept, because it takes half a second to be admitted."""
        if self._producer is None:
            self._producer = Producer(
                {
                    **self.client("counter"),
                    "enable.idempotence": True,
                    "linger.ms": 5,
                    "message.timeout.ms": 240_000,
                    "log_level": 0,
                }
            )
        return self._producer

    def read(self, topic: str, config: dict[str, Any] | None = None) -> list[Any]:
        """Every committed record of a topic, partition by partition, to the ends as they are now."""
        consumer = self._reader(config or self.client("subscriber"))
        try:
            partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
            records: list[Any] = []
            ended: set[int | None] = set()
            while len(ended) < len(partitions):
                message = consumer.poll(30)
                assert message is not None, f"nothing came from {topic}"
                error = message.error()
                if error is None:
                    records.append(message)
                elif error.name() == "_PARTITION_EOF":
                    ended.add(message.partition())
                elif error.name() not in ("_ALL_BROKERS_DOWN", "_TRANSPORT"):
                    raise KafkaException(error)
            return records
        finally:
            consumer.unassign()

    def _reader(self, config: dict[str, Any]) -> Consumer:
        """A consumer for each user: kept like the producer."""
        user = config["sasl.username"]
        if user not in self._readers:
            more = {"enable.partition.eof": True, "enable.auto.commit": False, "log_level": 0}
            self._readers[user] = Consumer({**config, **more})
        return self._readers[user]

    def verifier(self) -> dict[str, Any]:
        """The reader of everything, for topics that subscribers may not read."""
        known = json.loads((self.data / "secrets" / "passwords.json").read_text())["kafka"]
        return {
            **self.client("subscriber"),
            "sasl.username": "verifier",
            "sasl.password": known["verifier"],
            "group.id": "verifier",
        }

    def tier_changes(self) -> list[dict[str, Any]]:
        """The tier-change topic as a subscriber sees it, each event with the key of its record."""
        return [event_of(message) for message in self.read("tiering.tier-changes.v1")]

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def token(self, user: str = "operator") -> str:
        return self.must("token", "--user", user).out.strip()

    def call(
        self, service: str, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "Accept-Language": "en"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[service]}{path}",
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above.
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as problem:
            return problem.code, json.loads(problem.read() or b"null")

    # -- scenarios --------------------------------------------------------------------------------------------------

    def idle(self) -> None:
        """What `keypost wait-idle` does, in this process: a scenario waits some fifty times, and starting the command
        anew each time would take most of the minute."""
        session = open_session(self.data, timeout_s=600)
        try:
            wait_idle(session)
        finally:
            session.close()

    def play(self, scenario: Scenario, work: Path) -> None:
        """Carry out every phase to its end before the next."""
        now = scenario.start
        for number, phase in enumerate(scenario.phases):
            self.phase(phase, work / f"phase-{number}.csv", now)
            if isinstance(phase, AdvanceClock):
                now = phase.to
            self.idle()

    def phase(self, phase: Phase, file: Path, now: datetime) -> None:
        match phase:
            case ImportCustomers():
                file.write_bytes(phase.csv())
                self.must("import", "customers", str(file))
            case Publish(records=records):
                self.publish(records)
            case ClosePeriod(year=year, exit_code=exit_code, names=names):
                answer = self.keypost("close-period", str(year))
                assert answer.code == exit_code, (phase, answer)
                assert names is None or str(names) in answer.err, answer
            case DecideHeld(decisions=decisions):
                self.decide(decisions)
            case AdvanceClock(to=to):
                self.must("clock", "advance", f"{int((to - now).total_seconds())}s")

    def decide(self, decisions: Sequence[Any]) -> None:
        """A steward's decisions: the first by the command line, the rest over the same path of HTTP."""
        token = self.token()
        held = self.must("suspense", "list", "--json").json()
        for number, decision in enumerate(decisions):
            row = next(
                one
                for one in held
                if (one["source"], one["id"], one["reason"])
                == (decision.source, decision.id, decision.reason)
            )
            held.remove(row)
            if number == 0:
                self.must(
                    "suspense", "decide", str(row["number"]), decision.action, "--comment", "by the scenario"
                )
                continue
            path = f"/v1/suspense/{row['number']}/decision"
            body = {"decision": decision.action, "comment": "by the scenario"}
            for _ in range(100):
                try:
                    status, answer = self.call("tiering", "POST", path, body, token)
                except OSError:
                    self.idle()
                    continue
                # A lost answer to a decision that was taken is told as already decided.
                assert status == 200 or answer.get("code") == "already_decided", answer
                break
            else:
                raise AssertionError("tiering did not come back")


def event_of(message: Any) -> dict[str, Any]:
    """A record in binary mode as the structured event that it is."""
    attributes = {
        name[3:]: value.decode() for name, value in message.headers() or () if name.startswith("ce_")
    }
    return {**attributes, "key": message.key().decode(), "data": json.loads(message.value())}


def dead_letters(messages: Sequence[Any]) -> list[compare.DeadLetter]:
    return [
        compare.DeadLetter(
            one.key(), one.value(), tuple((name, value) for name, value in one.headers() or ())
        )
        for one in messages
    ]


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def running(data: Path, start: datetime) -> Iterator[Instance]:
    """An instance from up to down."""
    instance = Instance(data, start, dict(zip(PORTS, free_ports(len(PORTS)), strict=True)))
    try:
        instance.up()
        yield instance
    finally:
        instance.down()
