"""What foreign clients are told: key=value lines alone, and one way of placing a customer's records for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import KafkaError, Message, Producer

from cli import access, command
from cli.instance import Exit
from deploy.embedded.instance import Instance
from shared.contracts.counter_systems import CounterSystem
from tests.unit.cli.fake_session import run, session

KNOWN = {"bootstrap.servers": "127.0.0.1:19092", "sasl.username": "counter", "sasl.password": "secret"}
CODES = [f"32050000{number:05}" for number in range(60)] + ["L-1", "张三", "3205000000011", "x" * 32]


@pytest.fixture(autouse=True)
def instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Instance, "kafka_client", lambda *_: KNOWN)
    monkeypatch.setattr(command, "open_session", lambda *_: session(lambda _: httpx.Response(500), tmp_path))


def properties(*arguments: str) -> dict[str, str]:
    lines = run(access.register, "client-config", *arguments).stdout.splitlines()
    assert all("=" in line and not line.startswith("#") for line in lines)
    return dict(line.split("=", 1) for line in lines)


SYSTEM = CounterSystem("bank-post", "3205", ("/bank/*",), ("3205*",))


def test_a_counter_system_gets_the_client_of_its_own_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SYSTEMS", (SYSTEM,))
    monkeypatch.setattr(Instance, "kafka_client", lambda _self, user: KNOWN | {"sasl.username": user})
    assert properties("counter", "--system", "bank-post")["sasl.username"] == "system.bank-post"
    assert properties("counter")["sasl.username"] == "counter"


@pytest.mark.parametrize(
    ("arguments", "language", "told"),
    [
        (("counter", "--system", "nobody"), "en", "there is no counter system nobody; there are bank-post"),
        (("counter", "--system", "nobody"), "zh", "没有电子化支局系统 nobody；现有 bank-post"),
        (("subscriber", "--system", "bank-post"), "en", "--system goes with counter alone"),
        (("subscriber", "--system", "bank-post"), "zh", "--system 只用于 counter"),
    ],
)
def test_a_system_that_is_unknown_or_of_no_counter_is_a_bad_call(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], language: str, told: str
) -> None:
    monkeypatch.setattr(access, "SYSTEMS", (SYSTEM,))
    monkeypatch.setenv("KEYPOST_LANGUAGE", language)
    result = run(access.register, "client-config", *arguments)
    assert getattr(result.exception, "code", None) == Exit.BAD_CALL
    assert str(result.exception) == told


def murmur2(key: bytes) -> int:
    """Murmur2 as the Java client computes it (`org.apache.kafka.common.utils.Utils`), unsigned."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    value = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        value = value * multiplier & mask ^ word
    if rest := key[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * multiplier & mask
    value = (value ^ value >> 13) * multiplier & mask
    return value ^ value >> 15


@pytest.mark.parametrize(
    ("text", "hash_"),
    [
        ("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829), ("abc", 479470107),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)  # fmt: skip
def test_this_file_computes_the_hash_of_the_java_client(text: str, hash_: int) -> None:
    assert murmur2(text.encode()) == hash_ % 2**32


def placed(**more: Any) -> dict[str, int]:
    """Where librdkafka puts each code, on a topic of a broker that exists inside the client only."""
    found: dict[str, int] = {}

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None
        key, partition = message.key(), message.partition()
        assert isinstance(key, bytes) and partition is not None
        found[key.decode()] = partition

    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0, **more})
    for code in CODES:
        producer.produce("t", key=code.encode(), value=b"", on_delivery=note)
    assert producer.flush(30) == 0
    partitions = len(producer.list_topics(timeout=10).topics["t"].partitions)
    assert partitions > 1
    found["partitions"] = partitions
    return found


@pytest.mark.req("PLT-14")
def test_librdkafka_and_java_put_a_customers_records_on_the_same_partition() -> None:
    told = {"partitioner": properties("counter")["partitioner"]}
    found = placed(**told)
    partitions = found.pop("partitions")
    assert found == {code: (murmur2(code.encode()) & 0x7FFFFFFF) % partitions for code in CODES}
    by_default = placed()
    del by_default["partitions"]
    assert by_default != found, "librdkafka's own default places them elsewhere"


@pytest.mark.req("PLT-14")
def test_each_client_is_told_what_its_library_understands() -> None:
    assert properties("counter") == {
        "bootstrap.servers": "127.0.0.1:19092",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "counter",
        "sasl.password": "secret",
        "partitioner": "murmur2_random",
    }
    java = properties("counter", "--format", "java")
    assert java["sasl.jaas.config"].endswith('username="counter" password="secret";')
    assert "partitioner" not in java
    subscriber = properties("subscriber")
    assert (subscriber["isolation.level"], subscriber["group.id"]) == ("read_committed", "subscriber")
    assert "partitioner" not in subscriber
