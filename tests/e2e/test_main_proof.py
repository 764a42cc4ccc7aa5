"""The main proof: what goes in at a counter comes out as the tier changes of the independent model, on a real instance.

Once with the histories of real customers where they are at hand, and once with a generated set, which never skips: under
a few kills in every run of the tests (`tests/chaos`), and undisturbed here among the long ones. Every run takes the first
years of the histories, the long tests take them whole.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import generated, proof, uk_small
from tests.support.engines import own_folder
from tests.support.instance import running
from tests.support.streams import Scenario

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(1800),
    pytest.mark.req("TIE-1", "TIE-2", "TIE-12", "PLT-1", "PLT-2"),
]


def prove(scenario: Scenario) -> None:
    with own_folder("proof") as folder, running(folder / "data", scenario.start) as instance:
        instance.play(scenario, folder)
        proof.holds(instance, scenario, scenario.expected())


@pytest.mark.long
def test_a_generated_book_of_customers_comes_out_as_the_model_says() -> None:
    prove(generated.build())


BEGINNING = 6_000
"""Rows of the real file that every run takes: years that are closed by hand and by the timer, and what comes late."""


def real_histories(rows: int | None) -> Scenario:
    folder = os.environ.get("KEYPOST_TEST_DATA")
    file = Path(folder or "absent") / "uk_small_events.csv.gz"
    if not file.exists():
        pytest.skip(
            "KEYPOST_TEST_DATA names no folder with uk_small_events.csv.gz; the generated set proves the same"
        )
    return uk_small.build(file, rows=rows)


def test_the_beginning_of_real_histories_comes_out_as_the_model_says() -> None:
    prove(real_histories(BEGINNING))


@pytest.mark.long
def test_whole_real_histories_come_out_as_the_model_says() -> None:
    prove(real_histories(None))
