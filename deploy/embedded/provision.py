"""Topics, Kafka users and access rules, brought to what shared/contracts/topics.py says."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.embedded.processes import EngineError
from shared.contracts.counter_systems import SYSTEMS
from shared.contracts.topics import SERVICES, TOPICS, Topic

OUTSIDE: Final = ("counter", "subscriber", "verifier", *(system.user for system in SYSTEMS))
PRINCIPALS: Final = (*SERVICES, *OUTSIDE)
"""Every Kafka user beside the superuser."""
ANY_RULE: Final = AclBindingFilter(
    ResourceType.ANY,
    None,  # type: ignore[arg-type]
    ResourcePatternType.ANY,
    None,  # type: ignore[arg-type]
    None,  # type: ignore[arg-type]
    AclOperation.ANY,
    AclPermissionType.ANY,
)
"""Matches every access rule: the client takes None for "any", which its annotations leave out."""
_TIMEOUT_S: Final = 30.0
_ITERATIONS: Final = 4096


def provision(admin: AdminClient, passwords: Mapping[str, str]) -> None:
    """Users, topics and access rules of an instance. Running it again changes nothing."""
    create_users(admin, passwords)
    create_topics(admin, TOPICS)
    allow(admin, wanted_rules(TOPICS), exactly=True)


def create_users(admin: AdminClient, passwords: Mapping[str, str]) -> None:
    mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    _await(
        admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, mechanism, passwords[user].encode()) for user in PRINCIPALS]
        )
    )


def create_topics(admin: AdminClient, topics: Iterable[Topic]) -> None:
    """Create what is missing. A topic that exists keeps its partitions; settings that differ are brought up
    to date.
    """
    topics = list(topics)
    if len({topic.name for topic in topics}) != len(topics):
        # The client library crashes the whole process on a list that names one topic twice.
        raise EngineError("the table of topics names one topic twice")
    existing = admin.list_topics(timeout=_TIMEOUT_S).topics
    missing = [topic for topic in topics if topic.name not in existing]
    if missing:
        _await(
            admin.create_topics(
                [
                    NewTopic(t.name, num_partitions=t.partitions, replication_factor=1, config=t.config)
                    for t in missing
                ]
            ),
            harmless=(KafkaError.TOPIC_ALREADY_EXISTS,),
        )
    _set_differing(admin, [topic for topic in topics if topic.name in existing])


def _set_differing(admin: AdminClient, topics: list[Topic]) -> None:
    if not topics:
        return
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in topics]
    found = {resource.name: future.result() for resource, future in admin.describe_configs(resources).items()}
    changes = []
    for topic in topics:
        differing = {
            key: value
            for key, value in topic.config.items()
            if getattr(found[topic.name].get(key), "value", None) != value
        }
        if differing:
            changes.append(
                ConfigResource(ConfigResource.Type.TOPIC, topic.name, incremental_configs=_sets(differing))
            )
    if changes:
        _await(admin.incremental_alter_configs(changes))


def _sets(values: Mapping[str, str]) -> list[Any]:
    return [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in values.items()
    ]


def delete_topics(admin: AdminClient, names: Iterable[str]) -> None:
    names = list(names)
    if names:
        _await(
            admin.delete_topics(names, operation_timeout=_TIMEOUT_S),
            harmless=(KafkaError.UNKNOWN_TOPIC_OR_PART,),
        )


def wanted_rules(topics: Iterable[Topic]) -> set[AclBinding]:
    """Least privilege: each principal reads and writes its topics, with its own groups and transactions only."""
    rules: set[AclBinding] = set()
    for topic in topics:
        for user in topic.producers:
            rules |= _rules(ResourceType.TOPIC, topic.name, user, AclOperation.WRITE, AclOperation.DESCRIBE)
        for user in topic.consumers:
            rules |= _rules(ResourceType.TOPIC, topic.name, user, AclOperation.READ, AclOperation.DESCRIBE)
        rules |= _rules(ResourceType.TOPIC, topic.name, "verifier", AclOperation.READ, AclOperation.DESCRIBE)
    for service in SERVICES:
        rules |= _rules(
            ResourceType.TRANSACTIONAL_ID, f"{service}.relay.", service, AclOperation.WRITE, AclOperation.DESCRIBE,
            prefixed=True,
        )  # fmt: skip
    groups = {service: f"{service}." for service in SERVICES}
    groups |= {user: user for user in OUTSIDE}
    for user, prefix in groups.items():
        rules |= _rules(
            ResourceType.GROUP, prefix, user, AclOperation.READ, AclOperation.DESCRIBE, prefixed=True
        )
    return rules


def _rules(
    resource: ResourceType, name: str, user: str, *operations: AclOperation, prefixed: bool = False
) -> set[AclBinding]:
    pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
    return {
        AclBinding(resource, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for operation in operations
    }


def allow(admin: AdminClient, rules: set[AclBinding], *, exactly: bool = False) -> None:
    """Add the rules that are missing; with `exactly`, take away every other rule of the same resources'
    kinds.
    """
    existing = set(admin.describe_acls(ANY_RULE, request_timeout=_TIMEOUT_S).result())
    if missing := rules - existing:
        _await(admin.create_acls(sorted(missing), request_timeout=_TIMEOUT_S))
    surplus = existing - rules
    if exactly and surplus:
        _await(
            admin.delete_acls(
                [
                    AclBindingFilter(
                        rule.restype, rule.name, rule.resource_pattern_type, rule.principal, rule.host,
                        rule.operation, rule.permission_type,
                    )
                    for rule in sorted(surplus)
                ],
                request_timeout=_TIMEOUT_S,
            )
        )  # fmt: skip
    if missing or (exactly and surplus):
        _until_they_hold(admin, rules, exactly)


def _until_they_hold(admin: AdminClient, rules: set[AclBinding], exactly: bool) -> None:
    """The controller has taken the rules; the broker, which asks itself on every request, learns them a moment later."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        held = set(admin.describe_acls(ANY_RULE, request_timeout=_TIMEOUT_S).result())
        if rules <= held and not (exactly and held - rules):
            return
        if time.monotonic() > deadline:
            raise EngineError(f"Kafka does not know its access rules after {_TIMEOUT_S:.0f} s")
        time.sleep(0.05)


def _await(futures: Mapping[Any, Future[Any]], harmless: tuple[int, ...] = ()) -> None:
    for subject, future in futures.items():
        try:
            future.result(timeout=_TIMEOUT_S)
        except KafkaException as problem:
            error = problem.args[0]
            if error.code() not in harmless:
                raise EngineError(f"Kafka refused {subject}: {error.str()}") from problem
