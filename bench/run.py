"""One command, one recorded table: `python -m bench` measures the tiering service against its peers (PLT-15).

Engines of its own, one backlog that everybody gets, contenders in turn (A B A B …) so that a ratio compares neighbours
in time, every result compared with an oracle. Bounded in events and time; ends all it started.
"""

from __future__ import annotations

import argparse
import gc
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench import latency
from bench.contenders import BenchError, KafkaStreams, Outcome, PerMessage, Product, build_streams
from bench.engines import Engines, running_engines
from bench.latency import Latency
from bench.measuring import Machine
from bench.report import Results, table
from bench.sending import send_backlog, send_customers
from bench.workload import Workload
from deploy.embedded.paths import ROOT
from deploy.embedded.processes import EngineError
from deploy.embedded.terminal import say
from shared.clock import SystemClock, business_date
from shared.contracts.topics import COUNTER_TRANSACTIONS

BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Throughput and latency of tiering.")
    parser.add_argument(
        "--events", type=int, default=500_000, help="backlog; a ratio worth stating needs 2000000"
    )
    parser.add_argument("--customers", type=int, help="default: one for every 20 events")
    parser.add_argument("--runs", type=int, default=1, help="pairs of runs over the backlog")
    parser.add_argument("--rates", default="200,500", help="events a second for latency; empty for none")
    parser.add_argument("--seconds", type=float, default=30, help="of each latency, after the warm-up")
    parser.add_argument("--warm", type=float, default=15, help="seconds of warm-up of each latency")
    parser.add_argument("--threads", type=int, default=2, help="of Kafka Streams")
    parser.add_argument("--per-message-seconds", type=float, default=20, help="0: leave this peer out")
    parser.add_argument("--no-streams", action="store_true", help="the product alone")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--record", type=Path, help="write the table to this file too, such as docs/speed.md")
    options = parser.parse_args(arguments)
    if not 1000 <= options.events <= 20_000_000 or not 0 <= options.runs <= 9:
        parser.error("--events lies between 1000 and 20000000, --runs between 0 and 9")
    options.customers = options.customers or max(1000, options.events // 20)
    return options


def measure(engines: Engines, options: argparse.Namespace) -> Results:
    clock = SystemClock()
    workload = Workload(options.events, options.customers, business_date(clock.now()), options.seed)
    product = Product(engines)
    streams = None if options.no_streams else KafkaStreams(engines, threads=options.threads)
    results = Results(clock.now(), commit(), Machine.here(), options)
    say(f"{workload.customers} customers: published, learned by tiering once")
    send_customers(engines, workload)
    results.learned_per_s = product.learn(workload)
    say(f"learned {results.learned_per_s:.0f} customers a second")
    for rate in [int(rate) for rate in options.rates.split(",") if rate]:
        for contender in (product, streams):
            if contender is not None:
                results.latencies.append(_latency(engines, workload, contender, rate, options))
    if options.runs:
        say(f"a backlog of {workload.events} transactions")
        engines.empty_topics([COUNTER_TRANSACTIONS])
        send_backlog(engines, workload)
        expected = workload.expected()
        results.changes = len(expected.changes)
        # The oracle's many objects would cost this process, which only watches, time that others need.
        gc.freeze()
        for _ in range(options.runs):
            for contender in (product, streams):
                if contender is not None:
                    results.outcomes.append(_checked(contender.drain(workload, expected)))
        if options.per_message_seconds:
            results.outcomes.append(_checked(PerMessage(engines, options.per_message_seconds).sample()))
    return results


def _latency(
    engines: Engines,
    workload: Workload,
    contender: Product | KafkaStreams,
    rate: int,
    options: argparse.Namespace,
) -> Latency:
    engines.empty_topics([COUNTER_TRANSACTIONS])
    with contender.running():
        found = latency.measure(
            engines, workload, contender.name, contender.out, rate, options.warm, options.seconds
        )
    say(f"{found.contender} at {rate}/s: p50 {found.at(0.5):.0f} ms, p99 {found.at(0.99):.0f} ms")
    if found.missing:
        raise BenchError(f"{found.contender}: {found.missing} tier changes never came")
    return found


def _checked(outcome: Outcome) -> Outcome:
    if outcome.faults:
        raise BenchError(f"{outcome.contender} is wrong: {'; '.join(outcome.faults)}")
    say(f"{outcome.contender}: {outcome.per_s:.0f} events a second")
    return outcome


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def record(file: Path, text: str) -> None:
    """Put the table between the marks of a document, or make the document."""
    before, mark, rest = file.read_text().partition(BEGIN) if file.exists() else ("# Speed\n\n", BEGIN, END)
    if not mark or END not in rest:
        raise BenchError(f"{file} has no place for the table between {BEGIN} and {END}")
    file.write_text(f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}")


def main(arguments: list[str] | None = None) -> int:
    options = options_of(arguments)
    # Ended from outside, everything that was started ends as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if not options.no_streams:
            build_streams()
        with running_engines() as engines:
            results = measure(engines, options)
    except (BenchError, EngineError) as problem:
        say(str(problem))
        return 1
    text = table(results)
    print(text)
    if options.record is not None:
        record(options.record, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
