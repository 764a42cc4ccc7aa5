"""How an instance is chosen and set up, and how it says what it cannot do."""

from __future__ import annotations

import os
import shutil
import struct
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest

from cli.idle import positions_of
from cli.instance import CommandError
from cli.sandbox import duration
from deploy.embedded import access, packages
from deploy.embedded.instance import Instance, Setup, chosen_setup
from deploy.embedded.processes import EngineError, ProcessId
from tests.support.engines import own_folder

Usage = namedtuple("Usage", "total used free")


def test_an_option_comes_before_the_environment_that_before_the_kept_and_that_before_the_default() -> None:
    kept = Setup(registry_port=1, tiering_port=1_001, claims_port=1_002)
    environment = {"KEYPOST_REGISTRY_PORT": "2", "KEYPOST_TIERING_PORT": "2001"}
    chosen = chosen_setup(kept, {"registry_port": 3}, environment)
    assert (chosen.registry_port, chosen.tiering_port, chosen.claims_port, chosen.reporting_port) == (
        3,
        2001,
        1002,
        8104,
    )


def test_the_controller_stands_beside_kafka_unless_it_is_given_a_place() -> None:
    assert chosen_setup(None, {"kafka_port": 20_000}, {}).controller_port == 20_001
    assert chosen_setup(None, {"kafka_port": 20_000, "controller_port": 30_000}, {}).controller_port == 30_000


@pytest.mark.parametrize(
    ("given", "environment"),
    [({"kafka_port": 8101}, {}), ({}, {"KEYPOST_KAFKA_PORT": "many"}), ({}, {"KEYPOST_KAFKA_PORT": "65536"})],
)
def test_ports_that_cannot_be_are_refused(given: dict[str, int | str], environment: dict[str, str]) -> None:
    with pytest.raises(EngineError):
        chosen_setup(None, given, environment)


def test_an_instance_never_changes_its_mode() -> None:
    assert chosen_setup(Setup(mode="sandbox"), {}, {}).mode == "sandbox"
    with pytest.raises(EngineError, match="sandbox"):
        chosen_setup(Setup(), {"mode": "sandbox"}, {})


def test_a_nearly_full_disk_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 10**9 - 5_000_000, 5_000_000))
    with pytest.raises(EngineError, match="4 MB left"):
        Instance(tmp_path).prepare()
    assert list(tmp_path.iterdir()) == []


def test_passwords_are_made_once_and_never_silently_anew(tmp_path: Path) -> None:
    made = Instance(tmp_path)
    made.prepare()
    first = made.passwords(make=True)
    assert made.passwords(make=True) == first
    assert (tmp_path / "secrets" / "passwords.json").stat().st_mode & 0o077 == 0
    (tmp_path / "secrets" / "passwords.json").unlink()
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "keypost.ready").touch()
    with pytest.raises(EngineError, match="is gone"):
        made.passwords(make=True)


def test_a_reused_pid_is_not_taken_for_ours() -> None:
    me = ProcessId.of(os.getpid())
    assert me is not None
    assert me.alive()
    assert not ProcessId(me.pid, "another boot:1").alive()
    assert ProcessId.from_json(me.to_json()) == me
    assert ProcessId.from_json({"pid": "1"}) is None


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    made = Instance(tmp_path)
    with made.lock() as first, made.lock() as second:
        assert (first, second) == (True, False)
    with made.lock() as again:
        assert again


def test_without_java_or_maven_the_exact_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_java", lambda: None)
    monkeypatch.setattr(packages, "_offered", lambda _name: True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "mvn" else f"/usr/bin/{name}")
    with pytest.raises(
        EngineError, match=r"sudo apt-get install -y --no-install-recommends openjdk-17-jre-headless"
    ):
        packages.java(print)
    with pytest.raises(EngineError, match=r"sudo apt-get install -y --no-install-recommends maven"):
        packages.maven(print)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(EngineError, match="package manager"):
        packages.maven(print)


def entries(raw: bytes) -> list[tuple[int, int, int]]:
    return list(struct.iter_unpack("<HHI", raw[4:]))


def test_search_permission_is_given_to_one_user_and_nothing_to_anybody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o740)
    everybody = 0xFFFFFFFF
    assert entries(access._with_search(tmp_path, 101)) == [
        (0x01, 7, everybody), (0x02, 1, 101), (0x04, 4, everybody), (0x10, 5, everybody), (0x20, 0, everybody),
    ]  # fmt: skip


def test_what_a_mask_held_back_stays_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = 0xFFFFFFFF
    before = [
        (0x01, 7, everybody),
        (0x02, 7, 55),
        (0x04, 5, everybody),
        (0x10, 4, everybody),
        (0x20, 0, everybody),
    ]
    monkeypatch.setattr(access, "_entries", lambda _folder: before)
    assert entries(access._with_search(tmp_path, 101)) == [
        (0x01, 7, everybody), (0x02, 4, 55), (0x02, 1, 101), (0x04, 4, everybody), (0x10, 5, everybody),
        (0x20, 0, everybody),
    ]  # fmt: skip


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("sh"), reason="only root gives permissions to another user"
)
def test_a_closed_path_is_opened_folder_by_folder_and_said() -> None:
    account = access.database_account()
    assert account is not None
    with own_folder("closed") as top:
        target = top / "a" / "b"
        target.mkdir(parents=True)
        for folder in (top / "a", target):
            folder.chmod(0o700)
        said: list[str] = []
        access.open_path(target, account, said.append)
        assert [line.split(" on ")[1].split(" (")[0] for line in said] == [
            str(top),
            str(top / "a"),
            str(target),
        ]
        assert access.may(account, "-x", target)
        assert not access.may(account, "-r", target)
        access.open_path(target, account, said.append)
        assert len(said) == 3, "what is open needs no second time"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("36h", timedelta(hours=36)),
        ("10m", timedelta(minutes=10)),
        ("1d12h", timedelta(hours=36)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_whole_numbers_with_units(text: str, meant: timedelta) -> None:
    assert duration(text) == meant


@pytest.mark.parametrize("text", ["", "36", "h", "-1h", "1.5h", "1h 2m", "36525d1s", "999999999w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        duration(text)


def test_a_service_is_as_far_as_it_stored_or_fetched() -> None:
    account = {"positions": {"t": {"0": 5, "1": 2}}, "consumed": {"t": {"0": 7, "1": None}}}
    assert positions_of(account) == {("t", 0): 7, ("t", 1): 2}
    assert positions_of({}) == {}
