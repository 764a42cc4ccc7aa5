"""`keypost import transactions` without an instance: what it sends, how it ends, what it leaves behind."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from cli import command
from cli.grants import unit_of
from cli.import_transactions import chunks, register
from cli.tabular import open_table
from cli.transaction_rows import COLUMNS, REQUIRED
from services.tiering.entrypoints.transactions import read_items
from tests.unit.cli.fake_session import body, run, session, token_of

HEADER = "id,customer_code,line,kind,amount,business_date"


class Tiering:
    """Answers as the service does, after a number of faults."""

    def __init__(self, faults: int = 0) -> None:
        self.faults = faults
        self.calls: list[list[dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == "http://tiering/v1/transactions"
        if self.faults:
            self.faults -= 1
            if self.faults % 2:
                raise httpx.ConnectError("refused", request=request)
            return httpx.Response(503)
        events = body(request)
        self.calls.append(events)
        published = read_items([orjson.dumps(event) for event in events])
        return httpx.Response(
            200,
            json={
                "accepted": len(published.outgoing),
                "rejected": len(events) - len(published.outgoing),
                "items": [item.model_dump() for item in published.items],
            },
        )


@pytest.fixture
def tiering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tiering:
    fake = Tiering()
    monkeypatch.setattr(command, "open_session", lambda *_: session(fake, tmp_path))
    return fake


def written(folder: Path, *rows: str) -> str:
    path = folder / "day.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    return str(path)


def test_a_good_file_ends_with_0_and_leaves_no_rejects(tmp_path: Path, tiering: Tiering) -> None:
    result = run(register, "import", "transactions", written(tmp_path, "1,L1,express,sale,1.00,2026-01-15"))
    assert (result.exit_code, result.stdout) == (
        0,
        "1 rows: 1 published, 0 repeated, 0 with an earlier row's id and other content (held), 0 rejected\n",
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["day.csv"]


@pytest.mark.parametrize(
    ("language", "text", "why"),
    [
        (
            "zh",
            "共 3 行：发布 1，文件内重复 1，同号不同内容（将挂起）0，未导入 1\n  第 3 行与第 2 行同号\n未导入的行及原因：",
            "bad_field: business_date 不是日期，应如 2026-01-15：soon",
        ),
        (
            "en",
            "3 rows: 1 published, 1 repeated, 0 with an earlier row's id and other content (held), 1 rejected\n"
            "  row 3 has the id of row 2\nrejected rows and reasons: ",
            "bad_field: business_date is not a date such as 2026-01-15: soon",
        ),
    ],
)
def test_the_result_and_the_file_of_rejects_are_in_the_users_language(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiering: Tiering, language: str, text: str, why: str
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", language)
    good = "1,L1,express,sale,1.00,2026-01-15"
    file = written(tmp_path, good, good, "3,L1,express,sale,1.00,soon")
    result = run(register, "import", "transactions", file)
    assert result.stdout == f"{text}{file}.rejects.csv\n"
    assert why in Path(f"{file}.rejects.csv").read_text("utf-8-sig")


def test_bad_rows_end_with_3_and_are_listed_in_the_order_of_the_file(
    tmp_path: Path, tiering: Tiering
) -> None:
    file = written(
        tmp_path,
        "1,L1,express,sale,1.00,2026-01-15",
        "2,L1,express,sale,0.00,2026-01-15",
        "3,L1,express,sale,1.00,soon",
        "4,L1,express,sale,1.00,2026-01-15,,,9",
        "5,L1,porcelain,sale,1.00,2026-01-15",
        "6,L1,express,sale,2.00,2026-01-15",
    )
    result = run(register, "import", "transactions", file, "--json")
    assert result.exit_code == 3
    summary = json.loads(result.stdout)
    assert (summary["rows"], summary["accepted"], summary["rejected"]) == (6, 2, 4)
    with Path(summary["rejects_file"]).open(encoding="utf-8-sig", newline="") as rejects:
        rows = list(csv.DictReader(rejects))
    assert [(row["row"], row["reason"].partition(":")[0]) for row in rows] == [
        ("3", "bad_field"),
        ("4", "bad_field"),
        ("5", "too_many_cells"),
        ("6", "bad_field"),
    ]
    assert [event["id"] for call in tiering.calls for event in call] == ["1", "2", "5", "6"]


def test_the_same_file_sends_the_same_identities_again(tmp_path: Path, tiering: Tiering) -> None:
    file = written(tmp_path, "1,L1,express,sale,1.00,2026-01-15", "2,L1,express,sale,1.00,2026-01-15")
    for _ in range(2):
        assert run(register, "import", "transactions", file).exit_code == 0
    assert tiering.calls[0] == tiering.calls[1]
    assert {event["source"] for event in tiering.calls[0]} == {"/imports/3205"}


def test_a_service_that_restarts_is_outlasted(tmp_path: Path, tiering: Tiering) -> None:
    tiering.faults = 4
    rows = [f"{number},L1,express,sale,1.00,2026-01-15" for number in range(1500)]
    assert run(register, "import", "transactions", written(tmp_path, *rows)).exit_code == 0
    assert [len(call) for call in tiering.calls] == [1000, 500]


def test_long_rows_make_smaller_chunks_and_none_is_lost(tmp_path: Path) -> None:
    rows = [f"{number},{'x' * 3500},express,sale,1.00,2026-01-15" for number in range(1300)]
    table = open_table(Path(written(tmp_path, *rows)), COLUMNS, REQUIRED)
    found = list(chunks(table))
    assert [row.number for chunk in found for row in chunk] == list(range(2, 1302))
    assert max(sum(len(cell) for row in chunk for cell in row.cells) for chunk in found) < 1_004_000
    assert all(found)


def test_a_file_with_a_header_alone_is_done_at_once(tmp_path: Path, tiering: Tiering) -> None:
    result = run(register, "import", "transactions", written(tmp_path))
    assert (result.exit_code, tiering.calls) == (0, [])


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", bytes(range(256)) * 20, b"\x00" * 5000])
def test_rubbish_is_refused_with_2_and_nothing_is_sent(
    tmp_path: Path, tiering: Tiering, content: bytes
) -> None:
    path = tmp_path / "rubbish.csv"
    path.write_bytes(content)
    result = run(register, "import", "transactions", str(path))
    assert getattr(result.exception, "code", None) == 2
    assert str(result.exception).isprintable()
    assert tiering.calls == []


def test_the_template_is_a_file_that_can_be_imported(tmp_path: Path, tiering: Tiering) -> None:
    lines = run(register, "import", "transactions", "--template").stdout.splitlines()
    for pair in (lines[:2], lines[2:]):
        path = tmp_path / "template.csv"
        path.write_text("\n".join(pair) + "\n", "utf-8")
        assert run(register, "import", "transactions", str(path)).exit_code == 0
    assert tiering.calls[0] == tiering.calls[1]


@pytest.mark.parametrize(
    ("grants", "unit"),
    [
        ([("centre", "CN", "/CN"), ("steward", "CN", "/CN")], "3205"),
        ([("centre", "3201", "/CN/32/3201"), ("steward", "3205", "/CN/32/3205")], "3205"),
        ([("auditor", "32", "/CN/32"), ("centre", "3201", "/CN/32/3201")], "3201"),
        ([("service", "CN", "/CN")], "3205"),
        ([], "3205"),
    ],
)
def test_a_file_is_imported_for_the_unit_of_the_grant(grants: list[tuple[str, str, str]], unit: str) -> None:
    assert unit_of(token_of(*grants), ("steward", "centre")) == unit
