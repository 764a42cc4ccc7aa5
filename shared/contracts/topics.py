"""Every Kafka topic of the system, its key, its cleanup and its retention: the one place where they are set.

Topics are created from this table when an instance starts, never by auto-creation. The number of partitions is fixed
at creation, because changing it later would break the order of a customer's records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.contracts.counter_systems import SYSTEMS

PARTITIONS: Final = 6
PARTITIONER: Final = "murmur2_random"
"""librdkafka's name for the Java client's way of placing a key, which is the one that most clients share. librdkafka's own
default, CRC32, puts most customers elsewhere: records of one customer from counters of both kinds would have no order."""
RECORD_BYTES: Final = 1_048_588
"""The largest record an input topic takes (the broker's own default)."""
DEAD_LETTER_BYTES: Final = 2 * RECORD_BYTES
"""A dead letter carries the input record and its headers, so its topic takes twice the size."""

SERVICES: Final = ("registry", "tiering", "claims", "reporting")

_DAY_MS: Final = 86_400_000
_YEAR_MS: Final = 365 * _DAY_MS
_WEEK_MS: Final = 7 * _DAY_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `producers` and `consumers` are the Kafka principals that write to it and read from it, and nobody else may.
    A service stands among the consumers where its `main.py` subscribes to the topic; a test compares the two."""

    name: str
    key: str
    about: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    config: dict[str, str] = field(default_factory=dict)
    partitions: int = PARTITIONS
    carries: str = ""
    """The topic whose messages this one carries for some; empty where the messages are its own."""


def _kept(days_ms: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days_ms)}


def _incoming(days_ms: int) -> dict[str, str]:
    """Broker time on append: a record stamped years in the past by its sender would else expire on arrival."""
    return {
        **_kept(days_ms),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(RECORD_BYTES),
    }


def _state() -> dict[str, str]:
    """Latest state per key. The lag keeps every step readable for a week, so that a service that was away for less
    sees each agreement begin and end rather than only the last state."""
    return {"cleanup.policy": "compact", "min.compaction.lag.ms": str(_WEEK_MS)}


COUNTER_TRANSACTIONS: Final = "counter.transactions.v1"
CONTROL_TOTALS: Final = "counter.control-totals.v1"
UNITS: Final = "registry.units.v1"
CUSTOMERS: Final = "registry.customers.v1"
CUSTOMER_EVENTS: Final = "registry.customer-events.v1"
TIER_CHANGES: Final = "tiering.tier-changes.v1"
TIERS: Final = "tiering.tiers.v1"
SUSPENSE: Final = "tiering.suspense.v1"
RECEIPTS: Final = "counter.receipts.v1"
CLAIMS_EVENTS: Final = "claims.events.v1"
WINDOWS: Final = "claims.windows.v1"
DECLARATIONS: Final = "registry.declarations.v1"
PLANS: Final = "claims.plans.v1"
REVENUE: Final = "tiering.revenue.v1"
BULLETINS: Final = "reporting.bulletins.v1"


def events_topic(service: str) -> str:
    return f"{service}.events.v1"


def dead_letter_topic(service: str) -> str:
    return f"{service}.dead-letters.v1"


def relay_topic(service: str) -> str:
    """Where a service's relay keeps its outbox position, in the same Kafka transaction as the records it covers."""
    return f"{service}.relay-positions.v1"


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        COUNTER_TRANSACTIONS,
        "customer code",
        "Revenue transactions from counter systems.",
        ("counter", "tiering"),
        ("tiering",),
        _incoming(35 * _DAY_MS),
    ),
    *(
        Topic(
            system.transactions_topic,
            "customer code",
            f"Revenue transactions from the counter system {system.code}.",
            (system.user, "tiering"),
            ("tiering",),
            _incoming(35 * _DAY_MS),
            carries=COUNTER_TRANSACTIONS,
        )
        for system in SYSTEMS
    ),
    *(
        Topic(
            system.receipts_topic,
            "counter id",
            f"Feedback to the counter system {system.code}: rejected, held, released.",
            ("tiering",),
            (system.user,),
            _kept(35 * _DAY_MS),
            carries=RECEIPTS,
        )
        for system in SYSTEMS
    ),
    Topic(
        CONTROL_TOTALS,
        "counter id",
        "A counter's own daily totals, for reconciliation.",
        ("counter",),
        (),
        _incoming(35 * _DAY_MS),
    ),
    Topic(
        UNITS,
        "unit code",
        "State of each unit.",
        ("registry",),
        ("tiering", "claims", "reporting"),
        _state(),
    ),
    Topic(
        CUSTOMERS,
        "customer code",
        "State of each customer, its counter codes and agreements with dates.",
        ("registry",),
        ("tiering", "claims", "reporting"),
        _state(),
    ),
    Topic(
        CUSTOMER_EVENTS,
        "customer code",
        "What happened to customers.",
        ("registry",),
        ("reporting",),
        _kept(_YEAR_MS),
    ),
    Topic(
        DECLARATIONS,
        "declaration id",
        "State of each declaration of a customer, without contacts.",
        ("registry",),
        ("reporting",),
        _state(),
    ),
    Topic(
        REVENUE,
        "code|year",
        "Booked revenue of each customer and year by month and line.",
        ("tiering",),
        ("reporting",),
        _state(),
    ),
    Topic(
        TIER_CHANGES,
        "customer code",
        "Every tier change, exactly once, in order per customer.",
        ("tiering",),
        ("reporting", "subscriber"),
        {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"},
    ),
    Topic(
        TIERS,
        "code|scheme",
        "Latest tier of each customer under each scheme.",
        ("tiering",),
        ("reporting", "subscriber"),
        _state(),
    ),
    Topic(
        SUSPENSE,
        "customer code as sent",
        "Transactions held back and released, with reason.",
        ("tiering",),
        ("reporting",),
        _kept(_YEAR_MS),
    ),
    Topic(
        RECEIPTS,
        "counter id",
        "Feedback to counters: rejected, held, released.",
        ("tiering",),
        ("counter",),
        _kept(35 * _DAY_MS),
    ),
    Topic(
        CLAIMS_EVENTS,
        "customer code",
        "Plan, window, tender, award, lead and breach events.",
        ("claims",),
        ("reporting",),
        _kept(_YEAR_MS),
    ),
    Topic(
        PLANS,
        "plan id",
        "State of each development plan and of the window it got, without the plan's content.",
        ("claims",),
        ("reporting",),
        _state(),
    ),
    Topic(
        WINDOWS,
        "customer code",
        "The window in force or settling, if any.",
        ("claims",),
        ("reporting",),
        _state(),
    ),
    Topic(
        BULLETINS,
        "scope and month",
        "Published bulletins.",
        ("reporting",),
        (),
        {"cleanup.policy": "compact"},
    ),
    *(
        Topic(
            events_topic(service),
            "subject",
            f"What {service} tells and has no topic of its own.",
            (service,),
            ("reporting",),
            _kept(_YEAR_MS),
        )
        for service in SERVICES
        if events_topic(service) != CLAIMS_EVENTS
    ),
    *(
        Topic(
            dead_letter_topic(service),
            "as received",
            f"Messages that {service} could not read or handle.",
            (service,),
            ("reporting",),
            {**_kept(90 * _DAY_MS), "max.message.bytes": str(DEAD_LETTER_BYTES)},
        )
        for service in SERVICES
    ),
    *(
        Topic(
            relay_topic(service),
            "shard",
            f"How far {service}'s outbox has been published.",
            (service,),
            (service,),
            {"cleanup.policy": "compact", "segment.ms": "3600000"},
            partitions=1,
        )
        for service in SERVICES
    ),
)

BY_NAME: Final[dict[str, Topic]] = {topic.name: topic for topic in TOPICS}
