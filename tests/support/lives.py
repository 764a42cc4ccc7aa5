"""Customers' lives under fire: seeded clients declare, decide, map, file, sign and sell while the system is being killed.

Each life is one customer with a lawful course of its own. Every command is sent until it is acknowledged, and the notes
of all that was acknowledged are what has to be there afterwards, exactly once.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from deploy.embedded.instance import Instance as Folder
from shared.clock import SandboxClock, business_date
from tests.support.instance import Instance
from tests.support.outside import Outside, Reply
from tests.support.people import (
    CENTRE,
    COUNTY_REVIEWER,
    MANAGER,
    STEWARD,
    SUZHOU_COUNTIES,
    credit_code,
    path_of,
)

LAG_SECONDS = 120.0


def reviewer_of(county: str) -> str:
    return f"reviewer-{county}"


@dataclass
class Counter:
    """A foreign counter system: every transaction is sent until the broker has it, and sometimes once more."""

    instance: Instance
    random: Random
    acknowledged: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._producer = self._open()

    def _open(self) -> Producer:
        return Producer(
            {
                **self.instance.client("counter"),
                "enable.idempotence": True,
                "message.timeout.ms": 120_000,
                "log_level": 0,
            }
        )

    def send(self, data: dict[str, Any], id: str) -> None:
        event = {
            "specversion": "1.0",
            "id": id,
            "source": "/counters/lives",
            "type": "keypost.counter.transaction.v1",
            "data": data,
        }
        value, key = json.dumps(event).encode(), data["customer_code"].encode()
        for _ in range(1 + (self.random.random() < 0.1)):
            while not self._delivered(key, value):
                self._producer = self._open()
        self.acknowledged.append({"id": id, **data})

    def _delivered(self, key: bytes, value: bytes) -> bool:
        answers: list[KafkaError | None] = []
        try:
            self._producer.produce(
                "counter.transactions.v1", value, key, on_delivery=lambda error, _: answers.append(error)
            )
            self._producer.flush(150)
        except (BufferError, KafkaException):
            return False
        return answers == [None]


class Lives:
    """`threads` clients, each living one customer's life after the other until it is told to stop."""

    def __init__(self, outside: Outside, seed: int, threads: int = 4, hours_a_second: int = 4) -> None:
        self.outside = outside
        self.clock = SandboxClock(Folder(outside.instance.data).clock_file)
        self.codes: dict[str, str] = {}
        """Credit code → the code that the approval was acknowledged with."""
        self.declared: list[str] = []
        """Credit codes of acknowledged declarations."""
        self.local: dict[str, str] = {}
        """Counter-local code → customer, as acknowledged."""
        self.counters: list[Counter] = []
        self.problems: list[BaseException] = []
        self.lived = 0
        self._next = iter(range(1, 1_000_000))
        self._seed = seed
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._step = timedelta(hours=hours_a_second)
        outside.hire(*((reviewer_of(county), "reviewer", path_of(county)) for county in SUZHOU_COUNTIES))
        workers = [
            threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(threads)
        ]
        self._threads = [*workers, threading.Thread(target=self._tick, daemon=True)]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let every life that has begun come to its end; raises the first problem that a client had."""
        self._stop.set()
        for thread in self._threads:
            thread.join(300)
            assert not thread.is_alive(), "a client does not come to its end"
        if self.problems:
            raise self.problems[0]

    def revenue(self) -> dict[tuple[str, int], int]:
        """What the acknowledged transactions add up to: (customer, year) → fen."""
        sums: dict[tuple[str, int], int] = defaultdict(int)
        for counter in self.counters:
            for one in counter.acknowledged:
                code = self.local.get(one["customer_code"], one["customer_code"])
                fen = round(float(one["amount"]) * 100) * (1 if one["kind"] == "sale" else -1)
                sums[code, int(one["business_date"][:4])] += fen
        return dict(sums)

    def _tick(self) -> None:
        """Time passes, so that limits warn and windows end while processes die."""
        while not self._stop.wait(1.0):
            self.clock.advance_to(self.clock.now() + self._step)

    def _client(self, number: int) -> None:
        random = Random(f"{self._seed}/{number}")
        counter = Counter(self.outside.instance, random)
        self.counters.append(counter)
        while not self._stop.is_set() and not self.problems:
            with self._lock:
                life = next(self._next)
            try:
                _Life(self, random, counter, life).live()
            except BaseException as problem:
                self.problems.append(problem)
                return
            self.lived += 1


@dataclass
class _Life:
    lives: Lives
    random: Random
    counter: Counter
    number: int
    sent: int = 0

    def live(self) -> None:
        self.county = self.random.choice(SUZHOU_COUNTIES)
        self.uscc = credit_code(self.number)
        code = self._declare()
        if code is None:
            return
        local = f"L-{self.number}"
        self._sell(code)
        first = self._sell(local)
        self._do(STEWARD, "registry", "/v1/counter-codes", {"code": local, "customer_code": code}).must(201)
        self.lives.local[local] = code
        self._sell(local)
        plan = self._window(code)
        end = self.random.random()
        if end < 0.5:
            self._sign(code)
        elif end < 0.7:
            self._do(
                reviewer_of(self.county), "claims", f"/v1/plans/{plan}/withdraw", {"reason": "撤回"}
            ).must(200, 409)
        if self.random.random() < 0.3:
            self._sell(local, reverses=first)

    def _declare(self) -> str | None:
        """The code, where the declaration comes to an approval."""
        body = {
            "name": f"{self.uscc[-8:]}号商贸有限公司",
            "uscc": self.uscc,
            "unit_code": self.county,
            "expected_lines": ["express"],
            "manager_a": "manager",
            "manager_b": "manager-b",
        }
        filed = self._do(MANAGER, "registry", "/v1/declarations", body)
        path = f"/v1/declarations/{filed.must(201)['id']}"
        self.lives.declared.append(self.uscc)
        course = self.random.random()
        if course < 0.08:
            self._do(MANAGER, "registry", f"{path}/withdraw", {"comment": "撤回"}).must()
            return None
        passed = {"decision": "pass"}
        # The unit of the manager's post, whatever county they declare for.
        seen = self._act(COUNTY_REVIEWER, "registry", path, "pre-review", passed, filed)
        if course < 0.2:
            back = {"decision": "return", "comment": "请补充地址"}
            self._act(CENTRE, "registry", path, "decide", back, seen)
            self._do(MANAGER, "registry", f"{path}/submit", {}).must()
            seen = self.lives.outside.person(CENTRE).get("registry", path)
        decision = {"decision": "approve"} if course < 0.92 else {"decision": "reject", "comment": "材料不符"}
        decided = self._act(CENTRE, "registry", path, "decide", decision, seen).body
        if decided["state"] != "approved":
            return None
        code: str = decided["customer_code"]
        self.lives.codes[self.uscc] = code
        return code

    def _window(self, code: str) -> str:
        """The plan that has the window; another county hears that it is held."""
        body = {
            "customer_code": code,
            "unit_code": self.county,
            "lines": ["express"],
            "plan_text": "揽收方案",
            "manager_a": "manager",
        }
        filed = self._known(lambda: self._do(reviewer_of(self.county), "claims", "/v1/plans", body))
        plan: str = filed.must(201)["plan_id"]
        self._act(CENTRE, "claims", f"/v1/plans/{plan}", "review", {"decision": "register"}, filed)
        rival = self.random.choice([county for county in SUZHOU_COUNTIES if county != self.county])
        refused = self._do(reviewer_of(rival), "claims", "/v1/plans", {**body, "unit_code": rival})
        if refused.status == 201:
            mine = self.lives.outside.person(CENTRE).get("claims", f"/v1/plans/{plan}").must()
            assert mine["state"] == "expired", "two units for one customer"
            return plan
        problem = refused.refused(409, "window_held")
        assert problem["holder_unit"] == self.county, problem
        said = {"stage": self.random.choice(["contact", "proposal", "negotiation"]), "note": "已联系"}
        self._do(reviewer_of(self.county), "claims", f"/v1/plans/{plan}/progress", said).must(200, 409)
        return plan

    def _sign(self, code: str) -> None:
        body = {
            "agreement_no": f"A-{self.number}",
            "signed_on": business_date(self.lives.clock.now()).isoformat(),
            "unit_code": self.county,
        }
        self._do(CENTRE, "registry", f"/v1/customers/{code}/agreements", body).must(201)

    def _sell(self, code: str, reverses: str | None = None) -> str:
        self.sent += 1
        id = f"life-{self.number}-{self.sent}"
        now = self.lives.clock.now()
        yuan = "1.00" if reverses else f"{self.random.randrange(2_00, 60_000_00) / 100:.2f}"
        data = {
            "customer_code": code,
            "counter_id": "32050001",
            "line": self.random.choice(["express", "letters", "parcels"]) if reverses is None else "express",
            "kind": "sale" if reverses is None else "reversal",
            "amount": yuan,
            "occurred_at": now.isoformat(),
            "business_date": business_date(now).isoformat(),
        }
        self.counter.send(data, id)
        return id

    def _act(self, user: str, service: str, path: str, act: str, body: Any, seen: Reply) -> Reply:
        """Decide about a resource as it was last seen. A timer may have told its limit meanwhile: then it is read and
        decided again, and has to be where it was, because nobody else decides."""
        while True:
            reply = self._do(user, service, f"{path}/{act}", body, seen=seen)
            if reply.status != 412:
                reply.must()
                return reply
            state = seen.body["state"]
            seen = self.lives.outside.person(user).get(service, path)
            assert seen.must()["state"] == state, (act, seen.body)

    def _do(self, user: str, service: str, path: str, body: Any, seen: Reply | str = "*") -> Reply:
        return self.lives.outside.person(user).post(service, path, body, seen=seen)

    def _known(self, ask: Callable[[], Reply]) -> Reply:
        """Ask until claims has heard of the customer: its view of the registry follows at a distance."""
        for _ in range(int(LAG_SECONDS / 0.1)):
            reply = ask()
            if reply.code != "unknown_customer":
                return reply
            threading.Event().wait(0.1)
        return reply
