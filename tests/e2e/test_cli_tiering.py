"""The command line of tiering on a real instance, as a user types it: files in, tiers and changes out, decisions."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.instance import ROOT, Answer, Instance

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]

TRANSACTIONS = "id,customer_code,line,kind,amount,business_date\n"
SOURCE = "/imports/3205"


class Row(NamedTuple):
    """A record as `Instance.publish` takes it."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def customers(instance: Instance, folder: Path, *codes: str) -> None:
    """Registered with an agreement that is in force."""
    lines = ["name,customer_code,agreement_no,agreement_signed_on"]
    lines += [f"Customer {code},{code},A-{code},2025-01-01" for code in codes]
    file = folder / "customers.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    instance.must("import", "customers", str(file))
    instance.idle()


def transactions(folder: Path, *rows: str) -> str:
    file = folder / "transactions.csv"
    file.write_text(TRANSACTIONS + "\n".join(rows) + "\n", "utf-8")
    return str(file)


def event(id: str, code: str, **data: Any) -> Row:
    said = {
        "customer_code": code, "counter_id": "32050001", "line": "express", "kind": "sale", "amount": "5.00",
        "occurred_at": "2026-03-09T09:00:00+08:00",
    } | data  # fmt: skip
    return Row(
        json.dumps(
            {"specversion": "1.0", "id": id, "source": "/counters/e2e", "type": "keypost.counter.transaction.v1", "data": said}
        ).encode()
    )  # fmt: skip


def exported(instance: Instance, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in instance.must("export", "tier-changes", *arguments).out.splitlines()]


def tier_of(instance: Instance, code: str) -> dict[str, str]:
    told = instance.must("tier", code, "--json").json()
    return {one["scheme"]: one["tier"] for one in told["tiers"]}


@pytest.mark.req("TIE-1", "TIE-7")
def test_an_imported_file_moves_tiers_and_the_same_file_adds_nothing(
    instance: Instance, tmp_path: Path
) -> None:
    customers(instance, tmp_path, "IMP-1", "IMP-2")
    rows = [f"i{number},IMP-1,express,sale,100.00,2026-03-0{1 + number % 5}" for number in range(2000)]
    file = transactions(
        tmp_path, *rows, "x1,IMP-2,letters,sale,0.00,2026-03-01", "x2,IMP-2,letters,sale,60000.00,2026-03-01"
    )
    first = instance.keypost("import", "transactions", file, "--json")
    assert first.code == 3
    summary = first.json()
    assert (summary["rows"], summary["accepted"], summary["rejected"]) == (2002, 2001, 1)
    with Path(summary["rejects_file"]).open(encoding="utf-8-sig", newline="") as rejects:
        (rejected,) = csv.DictReader(rejects)
    assert (rejected["row"], rejected["id"]) == ("2002", "x1")
    assert rejected["reason"].startswith("bad_field")
    instance.idle()
    assert tier_of(instance, "IMP-1") == {"city-default": "gold", "guangdong-letters": "none"}
    assert tier_of(instance, "IMP-2") == {"city-default": "silver", "guangdong-letters": "vip"}
    before = exported(instance)
    assert instance.keypost("import", "transactions", file).code == 3
    instance.idle()
    assert exported(instance) == before
    assert instance.must("tier", "IMP-1", "--json").json()["tiers"][0]["totals"]["2026"] == "200000.00"


@pytest.mark.req("TIE-15")
def test_a_tier_is_explained_in_both_languages_and_an_unknown_code_ends_with_1(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers(instance, tmp_path, "EXP/1")
    file = transactions(tmp_path, "e1,EXP/1,express,sale,12000.00,2026-03-02")
    instance.must("import", "transactions", file)
    instance.idle()
    text = instance.must("tier", "EXP/1", "--explain").out
    assert "Ordinary" in text
    assert "No tier → Ordinary" in text
    assert f"{SOURCE} e1" in text
    assert (
        instance.must("tier", "EXP/1", "--as-of", "2026-03-01", "--json").json()["tiers"][0]["tier"] == "none"
    )
    unknown = instance.keypost("tier", "NOBODY")
    assert (unknown.code, unknown.out) == (1, "")
    assert "NOBODY" in unknown.err
    assert instance.keypost("tier", "EXP/1", "--scheme", "no-such").code == 1


@pytest.mark.req("TIE-21")
def test_the_export_is_what_a_subscriber_reads_in_structured_mode(instance: Instance, tmp_path: Path) -> None:
    customers(instance, tmp_path, "TRACE-1")
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sent = json.loads(event("t1", "TRACE-1", amount="250000.00").value or b"")
    instance.publish([Row(json.dumps({**sent, "traceparent": trace}).encode())])
    instance.idle()
    found = exported(instance)
    read = instance.tier_changes()
    assert len({one["id"] for one in found}) == len(found)
    for code in {one["key"] for one in read}:
        mine = [one["data"] for one in read if one["key"] == code]
        assert [one["data"] for one in found if one["subject"] == code] == mine
    assert len(found) == len(read)
    (change,) = [one for one in found if one["subject"] == "TRACE-1"]
    assert change["traceparent"] == trace
    assert change["specversion"] == "1.0"
    assert (change["data"]["from_tier"], change["data"]["to_tier"]) == ("none", "gold")
    only = exported(instance, "--scheme", "guangdong-letters")
    assert only == [one for one in found if one["data"]["scheme"] == "guangdong-letters"]


@pytest.mark.req("TIE-9")
def test_a_year_is_rehearsed_closed_once_and_refused_where_it_may_not_be(
    instance: Instance, tmp_path: Path
) -> None:
    customers(instance, tmp_path, "CLOSE-1")
    file = transactions(
        tmp_path,
        "c1,CLOSE-1,express,sale,60000.00,2024-05-02",
        "c2,CLOSE-1,express,sale,12000.00,2025-05-02",
    )
    instance.must("import", "transactions", file)
    instance.idle()
    refused = instance.keypost("close-period", "2026")
    assert refused.code == 1
    assert "2026" in refused.err
    refused = instance.keypost("close-period", "2025")
    assert refused.code == 1
    assert "2024" in refused.err
    instance.must("close-period", "2024")
    moves = instance.must("close-period", "2025", "--dry-run", "--json").json()["moves"]
    mine = {
        "customer_code": "CLOSE-1",
        "from_tier": "silver",
        "to_tier": "ordinary",
        "effective_on": "2026-01-01",
    }
    assert [move for move in moves if mine.items() <= move.items()]
    assert tier_of(instance, "CLOSE-1")["city-default"] == "silver"
    closed = instance.must("close-period", "2025", "--json").json()
    assert (closed["state"], closed["moves"]) == ("done", len(moves))
    again = instance.must("close-period", "2025", "--json")
    assert again.json() == closed
    assert "closed before" in again.err
    assert tier_of(instance, "CLOSE-1")["city-default"] == "ordinary"
    assert instance.keypost("close-period", "20255").code == 2


def test_a_dead_letter_is_shown_corrected_replayed_and_booked(instance: Instance, tmp_path: Path) -> None:
    customers(instance, tmp_path, "DEAD-1")
    bad = b'{"specversion": "1.0", "id": "d1" \x1b[31m'
    instance.publish([Row(bad, b"DEAD-1", (("h", b"\xff"),)), Row(None)])
    instance.idle()
    letters = instance.must("dead-letters", "list", "--json").json()
    not_json = [one for one in letters if one["reason"] == "not_json"]
    shown = [instance.must("dead-letters", "show", one["id"]).out for one in not_json]
    assert all("\x1b" not in text for text in shown)
    (mine,) = [one for one, text in zip(not_json, shown, strict=True) if "DEAD-1" in text]
    good = tmp_path / "good.json"
    good.write_bytes(event("d1", "DEAD-1", amount="20000.00").value or b"")
    instance.must("dead-letters", "replay", mine["id"], "--with", str(good))
    assert instance.keypost("dead-letters", "replay", mine["id"]).code == 1
    others = [one["id"] for one in letters if one["id"] != mine["id"]]
    instance.must("dead-letters", "close", *others)
    instance.idle()
    assert instance.must("dead-letters", "list", "--json").json() == []
    kept = instance.must("dead-letters", "list", "--all", "--json").json()
    assert {one["id"] for one in letters} <= {one["id"] for one in kept}
    assert tier_of(instance, "DEAD-1")["city-default"] == "ordinary"


@pytest.mark.req("TIE-1", "TIE-3")
def test_held_transactions_are_listed_by_reason_and_decided_once(instance: Instance, tmp_path: Path) -> None:
    customers(instance, tmp_path, "HELD-1")
    instance.publish(
        [
            event("h1", "HELD-1", amount="11000.00"),
            event("h1", "HELD-1", amount="51000.00"),
            event("h2", "HELD-1", business_date="2026-06-01"),
            event("h3", "HELD-9"),
        ]
    )
    instance.idle()
    held = instance.must("suspense", "list", "--json").json()
    by_id = {one["id"]: one for one in held}
    assert {one: by_id[one]["reason"] for one in ("h1", "h2", "h3")} == {
        "h1": "conflict",
        "h2": "future_date",
        "h3": "unknown_code",
    }
    only = instance.must("suspense", "list", "--reason", "conflict", "--code", "HELD-1", "--json").json()
    assert [one["id"] for one in only] == ["h1"]
    number = str(by_id["h1"]["number"])
    assert instance.keypost("suspense", "decide", number, "book", "--comment", "x").code == 1
    instance.must("suspense", "decide", number, "replace", "--comment", "the outlet says so")
    assert instance.keypost("suspense", "decide", number, "keep", "--comment", "x").code == 1
    instance.must("suspense", "decide", str(by_id["h2"]["number"]), "close", "--comment", "mistyped")
    instance.idle()
    assert tier_of(instance, "HELD-1")["city-default"] == "silver"
    left = {one["id"] for one in instance.must("suspense", "list", "--json").json()}
    assert left.isdisjoint({"h1", "h2"})
    assert "h3" in left


def test_rubbish_is_refused_in_words(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "folder").mkdir()
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    for name in ("empty.csv", "binary.csv", "folder", "wrong.csv", "nowhere.csv"):
        for command in (("import", "transactions"), ("demo", "--events")):
            answer = instance.keypost(*command, str(tmp_path / name))
            assert (answer.code, answer.out) == (2, ""), (command, name, answer)
            assert "Traceback" not in answer.err
            assert answer.err.replace("\n", "").isprintable()


@pytest.mark.req("PLT-2", "PLT-7")
def test_commands_outlast_restarts_of_the_service_and_the_broker(instance: Instance, tmp_path: Path) -> None:
    customers(instance, tmp_path, "KILL-1")
    file = transactions(
        tmp_path, *(f"k{number},KILL-1,express,sale,1.00,2026-03-02" for number in range(10_000))
    )
    status = instance.status()
    with started(instance, "import", "transactions", file) as importing:
        os.kill(status["services"]["tiering"]["pids"][0], signal.SIGKILL)
        answer = ended(importing)
    assert answer.code == 0, answer
    instance.idle()
    expected = exported(instance)
    assert [one["data"]["total"] for one in expected if one["subject"] == "KILL-1"] == ["10000.00"]
    with started(instance, "export", "tier-changes") as exporting:
        os.kill(status["kafka"]["pid"], signal.SIGKILL)
        answer = ended(exporting)
    assert answer.code == 0, answer
    assert [json.loads(line) for line in answer.out.splitlines()] == expected
    instance.idle()


def test_a_command_gives_up_with_4_when_its_time_is_over(instance: Instance) -> None:
    pid = instance.status()["services"]["tiering"]["pids"][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        for command in (
            ("close-period", "2020"),
            ("tier", "L1"),
            ("suspense", "list"),
            ("dead-letters", "list"),
        ):
            assert instance.keypost(*command, "--timeout", "1", timeout=30).code == 4
    finally:
        os.kill(pid, signal.SIGCONT)
    instance.idle()


@pytest.mark.req("PLT-7")
def test_a_demo_plays_a_file_shows_each_change_and_ends_with_a_summary(
    instance: Instance, tmp_path: Path
) -> None:
    lines = ["event_id,customer,line,amount,business_date"]
    lines += [
        f"p{number},DEMO-{number % 3},adults,400000,2026-03-0{1 + number // 10}" for number in range(40)
    ]
    lines += [
        "p40,DEMO-1,housing,-100,2026-03-04",
        "p1,DEMO-1,adults,400000,2026-03-01",
        "p41,,adults,1,2026-03-05",
    ]
    file = tmp_path / "events.csv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    shown = instance.must("demo", "--events", str(file), "--speed", "0")
    moved = [line for line in shown.out.splitlines() if "DEMO-" in line and "→" in line]
    assert len(moved) == len({line.split("  ", 1)[1] for line in moved})
    assert "console: http" in shown.out
    again = instance.must("demo", "--events", str(file), "--speed", "0", "--json").json()
    assert (again["sent"], again["rejected"], again["tier_changes"]) == (42, 1, 0)
    assert again["repeated"] == 42
    assert tier_of(instance, "DEMO-0")["city-default"] == "silver"


def started(instance: Instance, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "KEYPOST_DATA": str(instance.data), "KEYPOST_LANGUAGE": "en"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Answer:
    out, err = process.communicate(timeout=300)
    return Answer(process.returncode, out, err)
