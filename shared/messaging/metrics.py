"""What messaging counts; the names are part of the dashboards and alert rules."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

BATCH_RECORDS: Final = Histogram(
    "keypost_batch_records",
    "Records in a handled batch.",
    ["consumer"],
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 2000, 5000, 10_000),
)
BATCH_SECONDS: Final = Histogram(
    "keypost_batch_seconds",
    "Seconds from the first statement of a batch to its commit.",
    ["consumer"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
RECORDS: Final = Counter("keypost_records_total", "Records whose effects have committed.", ["consumer"])
LAG_RECORDS: Final = Gauge(
    "keypost_lag_records", "Records waiting in a partition.", ["consumer", "topic", "partition"]
)
LAG_SECONDS: Final = Gauge("keypost_lag_seconds", "Age of the newest handled record.", ["consumer"])
FAILURES: Final = Counter("keypost_failures_total", "Attempts that failed, by kind.", ["part", "kind"])
DROPPED: Final = Counter(
    "keypost_superseded_total", "Batches dropped because the stored position had moved.", ["consumer"]
)
STALLED: Final = Gauge(
    "keypost_consumer_stalled",
    "1 while a fault that hits every record keeps a consumer waiting.",
    ["consumer"],
)
DUPLICATES: Final = Counter("keypost_duplicates_total", "Events that had arrived before.", ["consumer"])
DEAD_LETTERS: Final = Counter("keypost_dead_letters_total", "Messages given up, by reason.", ["reason"])
OUTBOX_PENDING: Final = Gauge("keypost_outbox_pending", "Records committed and not yet published.")
OUTBOX_AGE: Final = Gauge(
    "keypost_outbox_age_seconds", "For how long the oldest such record has been waiting."
)
RELAY_RECORDS: Final = Counter("keypost_relay_records_total", "Records published.")
RELAY_TRANSACTION_SECONDS: Final = Histogram(
    "keypost_relay_transaction_seconds",
    "Seconds of one Kafka transaction of the relay.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30),
)
RELAY_LEADER: Final = Gauge("keypost_relay_leader", "1 where this process leads its service's relay.")
TIMERS_FIRED: Final = Counter("keypost_timers_fired_total", "Timers fired.", ["kind"])
TIMERS_OVERDUE: Final = Gauge("keypost_timers_overdue", "Timers past due and not yet fired.")
FAULTS: Final = Gauge(
    "keypost_faults", "Items of background work and timers that are given up at present.", ["task"]
)
