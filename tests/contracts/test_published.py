"""What is published: schemas and AsyncAPI documents are current, examples hold, and no change breaks a
promise.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.contracts import compatibility, generate
from shared.contracts.catalogue import EXAMPLES, MESSAGES, schema
from shared.contracts.counter_v1 import ReadTransaction, TransactionData, read_transaction
from shared.contracts.envelope import Envelope, Message, read
from shared.contracts.tiering_v1 import TierChanged
from shared.contracts.topics import BY_NAME, SERVICES, TOPICS
from tests.contracts.records import record

each_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.TYPE)


def _example(message: type[Message]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{message.TYPE}.json").read_text())
    return found


def _read(event: dict[str, Any]) -> Envelope:
    envelope = read(record(json.dumps(event).encode()))
    assert isinstance(envelope, Envelope), envelope
    return envelope


@pytest.mark.req("PLT-6")
@pytest.mark.parametrize("path", sorted(generate.documents()))
def test_the_committed_documents_say_what_the_code_says(path: str) -> None:
    committed = (generate.DOCS / path).read_text(encoding="utf-8")
    assert committed == generate.documents()[path], "run `make contracts` and commit what it writes"


@pytest.mark.req("PLT-6")
def test_there_is_no_schema_of_a_message_that_does_not_exist() -> None:
    assert {path.stem for path in (generate.DOCS / "schemas").glob("*.json")} == {m.TYPE for m in MESSAGES}
    assert {path.stem for path in EXAMPLES.glob("*.json")} == {message.TYPE for message in MESSAGES}


@pytest.mark.req("PLT-6")
@each_message
def test_the_golden_example_fits_its_schema_and_its_model(message: type[Message]) -> None:
    event = _example(message)
    Draft202012Validator.check_schema(schema(message))
    Draft202012Validator(schema(message)).validate(event["data"])
    answer = message.of(_read(event))
    assert isinstance(answer, message), answer
    assert event["subject"] == answer.key
    assert message.TOPIC in BY_NAME


VALUES = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "x" * 300,
    [],
    {},
    [None],
    "2026-01-01",
    "1.00",
    "-1.00",
    "0",
    "a\nb",
)


@pytest.mark.req("PLT-6")
@each_message
def test_the_schema_takes_a_value_exactly_when_the_model_does(message: type[Message]) -> None:
    data = _example(message)["data"]
    validator = Draft202012Validator(schema(message))
    for name in data:
        for value in VALUES:
            tried = {**data, name: value}
            answer = message.of(Envelope(id="1", source="/s", type=message.TYPE, data=tried))
            assert isinstance(answer, message) == validator.is_valid(tried), (name, value)


@each_message
def test_what_a_model_writes_is_its_example_again(message: type[Message]) -> None:
    event = _example(message)
    envelope = _read(event)
    answer = message.of(envelope)
    assert isinstance(answer, message)
    assert envelope.time is not None
    made = answer.outgoing(id=event["id"], time=envelope.time, source=event["source"])
    again = read(record(made.value, made.headers, made.key))
    assert isinstance(again, Envelope)
    if message is TransactionData:
        return
    assert again.data == event["data"]
    assert (again.id, again.source, again.subject) == (event["id"], event["source"], event["subject"])
    if message.SOURCE is not None:
        assert event["source"] == message.SOURCE


def test_the_golden_transaction_is_what_the_fast_reader_reads() -> None:
    answer = read_transaction(record(json.dumps(_example(TransactionData)).encode()))
    assert isinstance(answer, ReadTransaction)
    assert answer.transaction.amount_fen == 123450


@pytest.mark.req("TIE-21")
def test_a_tier_change_has_the_promised_fields_and_the_same_bytes_each_time() -> None:
    change = TierChanged.of(_read(_example(TierChanged)))
    assert isinstance(change, TierChanged)
    made = change.record()
    assert made == change.record()
    headers = dict(made.headers)
    assert headers["ce_id"] == b"3205000000011|city-default|3"
    assert headers["ce_source"] == b"/tiering"
    assert headers["ce_type"] == b"keypost.tiering.tier-changed.v1"
    assert headers["content-type"] == b"application/json"
    assert made.key == b"3205000000011"
    assert list(json.loads(made.value)) == [
        "customer_code",
        "scheme",
        "scheme_version",
        "version",
        "from_tier",
        "to_tier",
        "direction",
        "reason",
        "effective_on",
        "period",
        "total",
        "key_account",
        "decided_at",
        "caused_by",
    ]
    assert json.loads(made.value)["total"] == "200000.00"
    assert json.loads(made.value)["decided_at"] == "2026-03-09T10:11:12.345+08:00"


@pytest.mark.parametrize("service", [None, *SERVICES])
def test_an_asyncapi_document_has_all_topics_of_its_service_and_no_dead_reference(
    service: str | None,
) -> None:
    document = generate.asyncapi(service)
    expected = {
        topic.name
        for topic in TOPICS
        if "relay-positions" not in topic.name
        and (service is None or service in (*topic.producers, *topic.consumers))
    }
    assert set(document["channels"]) == expected
    _follow_references(document, document)


def _follow_references(node: Any, root: dict[str, Any]) -> None:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            target: Any = root
            for step in reference.removeprefix("#/").split("/"):
                target = target[step]
        for part in node.values():
            _follow_references(part, root)
    elif isinstance(node, list):
        for part in node:
            _follow_references(part, root)


# --- Compatibility ------------------------------------------------------------------------------------------

TYPE = "keypost.tiering.tier-changed.v1.json"


@pytest.mark.req("PLT-6")
def test_the_contracts_keep_what_was_published() -> None:
    assert compatibility.faults(compatibility.published(), compatibility.present()) == []


@pytest.mark.req("PLT-6")
def test_every_message_and_topic_is_in_the_baseline() -> None:
    assert set(compatibility.published()) == set(compatibility.present()), "run the check with --accept"
    assert set(compatibility.published()["topics.json"]) == set(BY_NAME)


def _with(change: Any) -> list[str]:
    new = copy.deepcopy(compatibility.present())
    change(new)
    return compatibility.faults(compatibility.present(), new)


def _optional_field(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["note"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


def _new_value(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["reason"]["enum"].append("weather")


def _wider_type(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["period"] = {"anyOf": [new[TYPE]["properties"]["period"], {"type": "null"}]}


def _no_longer_required(new: dict[str, Any]) -> None:
    new[TYPE]["required"].remove("period")


def _new_message(new: dict[str, Any]) -> None:
    new["keypost.claims.some-later-message.v1.json"] = {"type": "object"}


def _new_topic(new: dict[str, Any]) -> None:
    new["topics.json"]["claims.extra.v1"] = {"key": "x", "partitions": 6, "cleanup.policy": "delete"}


@pytest.mark.req("PLT-6")
@pytest.mark.parametrize(
    "change", [_optional_field, _new_value, _wider_type, _no_longer_required, _new_message, _new_topic]
)
def test_additions_are_fine(change: Any) -> None:
    assert _with(change) == []


def _field_gone(new: dict[str, Any]) -> None:
    del new[TYPE]["properties"]["period"]


def _nested_field_gone(new: dict[str, Any]) -> None:
    del new[TYPE]["$defs"]["CausedBy"]["properties"]["id"]


def _new_required_field(new: dict[str, Any]) -> None:
    _optional_field(new)
    new[TYPE]["required"].append("note")


def _value_gone(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["reason"]["enum"].remove("granted")


def _narrower_type(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["caused_by"] = {"$ref": "#/$defs/CausedBy"}


def _other_type(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["total"] = {"type": "integer"}


def _shorter(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["customer_code"]["maxLength"] = 13


def _other_pattern(new: dict[str, Any]) -> None:
    new[TYPE]["properties"]["total"]["pattern"] = "^[0-9]+$"


def _message_gone(new: dict[str, Any]) -> None:
    del new[TYPE]


def _other_partitions(new: dict[str, Any]) -> None:
    new["topics.json"]["tiering.tier-changes.v1"]["partitions"] = 12


def _other_key(new: dict[str, Any]) -> None:
    new["topics.json"]["tiering.tier-changes.v1"]["key"] = "scheme"


def _topic_gone(new: dict[str, Any]) -> None:
    del new["topics.json"]["tiering.tier-changes.v1"]


@pytest.mark.req("PLT-6")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_field_gone, "data.period is gone"),
        (_nested_field_gone, "data.caused_by.id is gone"),
        (_new_required_field, "data.note became required"),
        (_value_gone, "no longer takes 'granted'"),
        (_narrower_type, "data.caused_by was null"),
        (_other_type, "data.total was a string"),
        (_shorter, "maxLength narrowed from 32 to 13"),
        (_other_pattern, "data.total: pattern changed"),
        (_message_gone, "the message is gone"),
        (_other_partitions, "partitions changed from 6 to 12"),
        (_other_key, "key changed from 'customer code' to 'scheme'"),
        (_topic_gone, "the topic is gone"),
    ],
)
def test_a_breaking_change_fails_with_a_sentence_that_says_what_to_do(change: Any, words: str) -> None:
    (fault,) = _with(change)
    assert "tier-change" in fault
    assert words in fault
    assert "version" in fault


@pytest.mark.req("PLT-6")
def test_the_check_is_a_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shared.contracts.compatibility"], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    compatibility.accept(tmp_path / "baseline")
    assert compatibility.published(tmp_path / "baseline") == compatibility.present()
