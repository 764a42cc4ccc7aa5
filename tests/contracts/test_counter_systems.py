"""The file of counter systems is read whole or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.contracts.counter_systems import (
    SHIPPED,
    BrokenSystems,
    CounterSystem,
    read_systems,
    reserved_for,
    told_to,
)

pytestmark = pytest.mark.req("PLT-12")

GOOD = """
[[systems]]
code = "a-1"
unit = "3205"
sources = ["/counters/3205*", "/pos/7"]
counters = ["3205*"]
exclusive = true
"""


def read(folder: Path, text: str) -> tuple[CounterSystem, ...]:
    file = folder / "systems.toml"
    file.write_text(text, encoding="utf-8")
    return read_systems(file)


def test_a_system_is_a_user_two_topics_and_whom_it_speaks_for(tmp_path: Path) -> None:
    (system,) = read(tmp_path, GOOD)
    assert (system.user, system.transactions_topic, system.receipts_topic) == (
        "system.a-1",
        "counter.transactions.v1.a-1",
        "counter.receipts.v1.a-1",
    )
    assert system.foreign("/pos/7", "32050001", "/CN/32/3205/32050001") is None
    assert system.foreign("/pos/7", "32050001", "") is None, "an outlet that is not listed yet"
    assert system.foreign("/pos/77", "32050001", "") == "source"
    assert system.foreign("/pos/7", "32010001", "") == "counter_id"
    assert system.foreign("/pos/7", "32050001", "/CN/32/3201/32050001") == "counter_id"
    assert reserved_for([system], "/pos/7") is system
    assert reserved_for([system], "/pos/8") is None
    assert told_to([system], "/pos/7", "32050001") == [system]
    assert told_to([system], "/pos/7", "32010001") == []


def test_the_shipped_file_can_be_read_and_reserves_nothing() -> None:
    assert [system.code for system in read_systems(SHIPPED)] == ["suzhou"]
    assert not any(system.exclusive for system in read_systems(SHIPPED))


@pytest.mark.parametrize(
    "text",
    [
        "systems = 1 2",
        "[[systems]]",
        GOOD.replace('code = "a-1"', 'code = "A 1"'),
        GOOD.replace('code = "a-1"', 'code = "a.1"'),
        GOOD.replace('unit = "3205"', ""),
        GOOD.replace('["3205*"]', "[]"),
        GOOD.replace('["3205*"]', '[""]'),
        GOOD.replace('["/counters/3205*", "/pos/7"]', '"/pos/7"'),
        GOOD.replace("exclusive = true", 'exclusive = "yes"'),
        GOOD + 'colour = "red"',
        GOOD + GOOD,
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BrokenSystems, match=r"systems\.toml"):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenSystems):
        read_systems(tmp_path / "none.toml")
