"""A relay in a process of its own, to be killed, stopped and woken: its settings come from the environment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from shared import failpoints, logging
from shared.messaging.kafka import KafkaAccess
from shared.messaging.relay import Relay


async def main() -> None:
    failpoints.arm(os.environ.get("KEYPOST_FAILPOINTS", ""))
    kafka = KafkaAccess(
        os.environ["KAFKA"],
        "SASL_PLAINTEXT",
        "SCRAM-SHA-512",
        os.environ["KAFKA_USER"],
        os.environ["KAFKA_PASSWORD"],
    )
    relay = Relay(
        os.environ["KAFKA_USER"], os.environ["DSN"], kafka, lease_seconds=float(os.environ["LEASE"])
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, relay.stop)
    await relay.run()


if __name__ == "__main__":
    logging.configure("relay", text=False)
    asyncio.run(main())
    sys.exit(0)
