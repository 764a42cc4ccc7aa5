"""The everyday real input as a scenario: payments of a public body, its suppliers standing for customers.

Contains public sector information licensed under the Open Government Licence v3.0 (Leeds City Council); processing
by ODI Leeds, CC-BY 4.0. The file is read where it lies and nothing of it is kept here.
"""

from __future__ import annotations

import csv
import gzip
import os
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from tests.support.model import SHANGHAI, Transaction
from tests.support.streams import Chunk, Dice, Scenario, Weaver, code_of, plain

LINE_OF = {
    "adults": "express",
    "central": "press",
    "children": "letters",
    "city_dev": "logistics",
    "communities": "information",
    "environment": "parcels",
    "housing": "finance",
    "pooled_care": "philately",
}
START = datetime(2023, 1, 15, 9, 0, tzinfo=SHANGHAI)
CLOSED_BY_HAND = 2020
"""The last year that the scenario closes by command; the timer closes those after it."""


def data_file() -> Path | None:
    """Where the file lies: in the folder that `KEYPOST_TEST_DATA` names (the Makefile looks for one), else nowhere."""
    path = Path(os.environ.get("KEYPOST_TEST_DATA") or "absent") / "uk_small_events.csv.gz"
    return path if path.is_file() else None


def build(path: Path, seed: int = 1, rows: int | None = None) -> Scenario:
    """The scenario over the first `rows` rows of the file (all of them by default)."""
    dice = Dice(seed)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        events = list(islice(csv.DictReader(file), rows))
    suppliers = sorted({event["customer"] for event in events})
    codes = {supplier: code_of(number, dice) for number, supplier in enumerate(suppliers)}
    sources = {supplier: f"/counters/32050{number % 7}" for number, supplier in enumerate(suppliers)}
    chunks: list[Chunk] = []
    current: list[Transaction] = []
    seen_until = date(2010, 1, 1)
    closing = 2010
    for event in events:
        on = date.fromisoformat(event["business_date"])
        seen_until = max(seen_until, on)
        # Every other year is closed as soon as the next one shows, so that much comes late; the others in March.
        if seen_until >= date(closing + 1, 1 if closing % 2 else 3, 1):
            chunks.append(Chunk(tuple(current), closing if closing <= CLOSED_BY_HAND else None))
            current, closing = [], closing + 1
        supplier = event["customer"]
        identity = (sources[supplier], event["event_id"])
        current.append(
            plain(identity, codes[supplier], LINE_OF[event["line"]], int(event["amount"]), on, dice)
        )
    chunks.append(Chunk(tuple(current)))
    return Weaver([codes[supplier] for supplier in suppliers], START, dice).weave(chunks)
