"""The table of one run of the benchmark, in Markdown."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final

from bench.contenders import KafkaStreams, Outcome, Product
from bench.latency import Latency
from bench.measuring import Machine
from shared.clock import SHANGHAI

ENOUGH_EVENTS: Final = 2_000_000
ENOUGH_RUNS: Final = 3
BUSY: Final = 0.5
"""A load average above this at the start says that somebody else was using the machine."""


@dataclass
class Results:
    """Everything one run of the benchmark found."""

    at: datetime
    commit: str
    machine: Machine
    options: argparse.Namespace
    learned_per_s: float = 0.0
    changes: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)

    def ratios(self) -> list[float]:
        """Product to Kafka Streams, pair by pair."""
        ours = [one.per_s for one in self.outcomes if one.contender == Product.name]
        theirs = [one.per_s for one in self.outcomes if one.contender == KafkaStreams.name]
        return [our / their for our, their in zip(ours, theirs, strict=False)]


def table(results: Results) -> str:
    parts = [_facts(results), _backlog(results), _latency(results), _caveats(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(results: Results) -> str:
    machine, options = results.machine, results.options
    return (
        f"Measured {results.at.astimezone(SHANGHAI).isoformat(timespec='minutes')} at commit {results.commit} by "
        f"`python -m bench --events {options.events} --customers {options.customers} --runs {options.runs} "
        f"--rates {options.rates} --seconds {options.seconds:g}` (seed {options.seed}).\n"
        f"Machine: {machine.cores} cores of {machine.processor}, {machine.memory_gb:.0f} GB, {machine.system}, Python "
        f"{machine.python}; load average {machine.load_before:.1f} at the start. Broker, database, contender and "
        f"the measuring itself share it.\n"
        f"Customers learned from their topic: {results.learned_per_s:.0f} a second. The backlog leads to "
        f"{results.changes} tier changes of city-default; ledger, totals and changes were compared with the oracle."
    )


def _backlog(results: Results) -> str:
    if not results.outcomes:
        return ""
    lines = [
        "| backlog | events | events/s | second half | CPU µs an event: service + PostgreSQL + broker | memory MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in results.outcomes:
        costs = one.costs
        lines.append(
            f"| {one.contender} | {one.events} | {one.per_s:.0f} | {one.second_half_per_s:.0f} | {costs.service_us:.1f} + "
            f"{costs.postgres_us:.1f} + {costs.kafka_us:.1f} = {costs.all_us:.1f} | {costs.service_mb:.0f} + "
            f"{costs.postgres_mb:.0f} |"
        )
    ratios = results.ratios()
    if ratios:
        pairs = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        lines.append(f"\nRatio to Kafka Streams, pair by pair: {pairs}; median **{median(ratios):.2f}**.")
    return "\n".join(lines)


def _latency(results: Results) -> str:
    if not results.latencies:
        return ""
    lines = [
        "| produce → tier change read | rate/s | samples | p50 ms | p90 ms | p99 ms | max ms |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in results.latencies:
        lines.append(
            f"| {one.contender} | {one.rate} | {len(one.ms)} | {one.at(0.5):.0f} | {one.at(0.9):.0f} | {one.at(0.99):.0f} "
            f"| {one.at(1):.0f} |"
        )
    return "\n".join(lines)


def _caveats(results: Results) -> str:
    options = results.options
    lines = []
    if results.machine.load_before > BUSY:
        lines.append(
            f"- The machine was busy with other work (load average {results.machine.load_before:.1f}): absolute figures are "
            "too low and scatter, tails of latency above all. Only ratios of neighbouring runs mean something."
        )
    if results.outcomes and (options.events < ENOUGH_EVENTS or options.runs < ENOUGH_RUNS):
        lines.append(
            f"- {options.events} events in {options.runs} pairs: a ratio to be relied on needs {ENOUGH_EVENTS} in "
            f"{ENOUGH_RUNS}. A short run flatters whoever warms up faster."
        )
    lines.append(
        "- The product does more than its peers: it checks every field, keeps a ledger and monthly totals in a database, "
        "serves a second scheme, tells a state beside each change. The peers hold nothing in suspense."
    )
    return "\n".join(lines)
