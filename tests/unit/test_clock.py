"""The clocks: business dates in Asia/Shanghai, and a sandbox clock that all processes share and that never
goes back.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from shared.clock import SandboxClock, SystemClock, business_date, clock_from

NEW_YEAR = datetime(2025, 12, 31, 16, 0, tzinfo=UTC)


@pytest.mark.req("TIE-3")
def test_the_business_date_changes_at_midnight_in_shanghai() -> None:
    assert business_date(NEW_YEAR - timedelta(microseconds=1)) == date(2025, 12, 31)
    assert business_date(NEW_YEAR) == date(2026, 1, 1)
    assert business_date(datetime(2026, 1, 1, 13, 0, tzinfo=timezone(timedelta(hours=14)))) == date(
        2026, 1, 1
    )


@pytest.mark.req("TIE-3")
def test_an_instant_without_offset_has_no_business_date() -> None:
    with pytest.raises(ValueError, match="offset"):
        business_date(datetime(2026, 1, 1))


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_the_sandbox_clock_stands_still_until_it_is_advanced(tmp_path: Path) -> None:
    clock = SandboxClock.create(tmp_path / "clock", NEW_YEAR)
    assert clock.now() == clock.now() == NEW_YEAR
    clock.advance_to(NEW_YEAR + timedelta(hours=36, microseconds=1))
    assert clock.now() == NEW_YEAR + timedelta(hours=36, microseconds=1)


def test_the_sandbox_clock_does_not_go_back(tmp_path: Path) -> None:
    clock = SandboxClock.create(tmp_path / "clock", NEW_YEAR)
    clock.advance_to(NEW_YEAR)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance_to(NEW_YEAR - timedelta(microseconds=1))
    assert clock.now() == NEW_YEAR


def test_a_second_start_keeps_the_time_at_which_the_sandbox_stood(tmp_path: Path) -> None:
    SandboxClock.create(tmp_path / "clock", NEW_YEAR).advance_to(NEW_YEAR + timedelta(days=1))
    assert SandboxClock.create(tmp_path / "clock", NEW_YEAR).now() == NEW_YEAR + timedelta(days=1)


def test_another_process_sees_an_advance_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    here = SandboxClock.create(path, NEW_YEAR)
    code = (
        "import sys; from datetime import timedelta; from shared.clock import SandboxClock;"
        "clock = SandboxClock(sys.argv[1]); clock.advance_to(clock.now() + timedelta(days=1))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    assert here.now() == NEW_YEAR + timedelta(days=1)


def test_instants_before_1970_can_be_set(tmp_path: Path) -> None:
    early = datetime(1949, 10, 1, tzinfo=UTC)
    assert SandboxClock.create(tmp_path / "clock", early).now() == early


def test_a_file_that_is_no_clock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clock").write_bytes(b"noon")
    with pytest.raises(ValueError, match="not the file of a sandbox clock"):
        SandboxClock(tmp_path / "clock")
    with pytest.raises(FileNotFoundError):
        clock_from(str(tmp_path / "absent"))


def test_without_a_file_the_clock_is_the_machines() -> None:
    assert isinstance(clock_from(None), SystemClock)
