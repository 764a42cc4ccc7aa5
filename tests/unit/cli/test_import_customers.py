"""`keypost import customers` without an instance: what it sends, how it ends, what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli import command, import_customers


class Registry:
    """Answers like the registry: a row named 坏 is rejected, one named 像 is similar to another."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], str]] = []

    def close(self) -> None: ...

    def post(self, service: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        assert (service, path) == ("registry", "/v1/customer-imports")
        self.sent.append((body, headers["Idempotency-Key"]))
        return {"results": [self._result(row) for row in body["rows"]]}

    @staticmethod
    def _result(row: dict[str, Any]) -> dict[str, Any]:
        bad, similar = row["name"] == "坏", row["name"] == "像"
        return {
            "row": row["row"],
            "result": "rejected" if bad else "created",
            "customer_code": None if bad else f"C{row['row']}",
            "reasons": ["code_taken", "name_differs"] if bad else [],
            "notices": ["similar_name"] if similar else [],
            "similar": ["C9"] if similar else [],
        }


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    fake = Registry()
    monkeypatch.setattr(command, "open_session", lambda *_: fake)
    return fake


def run(*arguments: str) -> Any:
    app = typer.Typer()
    app.callback()(lambda: None)
    import_customers.register(app)
    return CliRunner().invoke(app, ["import", "customers", *arguments])


def test_good_files_end_with_0_and_leave_no_rejects(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "book.csv"
    path.write_text("客户名称\n甲\n乙\n", "utf-8")
    result = run(str(path))
    assert result.exit_code == 0
    assert result.stdout.startswith("2 rows: 2 registered")
    assert [entry.name for entry in tmp_path.iterdir()] == ["book.csv"]


def test_bad_rows_end_with_3_and_go_to_the_reject_file(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "book.csv"
    path.write_text("name,remark\n甲,1\n坏,=2\n像,3\n丙,4,5\n", "utf-8")
    result = run(str(path), "--json")
    assert result.exit_code == 3
    summary = json.loads(result.stdout)
    assert (summary["rows"], summary["created"], summary["rejected"]) == (4, 2, 2)
    assert summary["similar"] == [{"row": 4, "customer_code": "C4", "similar": ["C9"]}]
    assert (tmp_path / "book.csv.rejects.csv").read_text("utf-8-sig").splitlines() == [
        "row,reason,name,remark",
        "3,code_taken; name_differs,坏,'=2",
        "5,too_many_cells: it has more cells than the header,丙,4,5",
    ]
    assert [row["row"] for row in registry.sent[0][0]["rows"]] == [2, 3, 4]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "zh",
            "共 3 行：新注册 2，更新 0，未变 0，文件内重复 0，未导入 1\n未导入的行及原因：{rejects}\n"
            "1 行的名称与其他客户相近：\n  第 4 行：C4 ~ C9\n",
        ),
        (
            "en",
            "3 rows: 2 registered, 0 updated, 0 unchanged, 0 repeated, 1 rejected\nrejected rows and reasons: {rejects}\n"
            "1 have a name similar to another customer's:\n  row 4: C4 ~ C9\n",
        ),
    ],
)
def test_what_became_of_the_rows_is_said_in_the_users_language(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: Registry, language: str, text: str
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", language)
    path = tmp_path / "book.csv"
    path.write_text("name\n甲\n坏\n像\n", "utf-8")
    assert run(str(path)).stdout == text.format(rejects=f"{path}.rejects.csv")


def test_rows_go_in_chunks_of_one_import_each_with_its_own_key(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "book.csv"
    path.write_text("name\n" + "".join(f"n{number}\n" for number in range(1201)), "utf-8")
    assert run(str(path)).exit_code == 0
    bodies = [body for body, _ in registry.sent]
    assert [len(body["rows"]) for body in bodies] == [500, 500, 201]
    assert len({body["import_id"] for body in bodies}) == 1
    assert len({key for _, key in registry.sent}) == 3
    assert {body["rows_total"] for body in bodies} == {1201}


def test_an_unusable_file_sends_nothing(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "book.csv"
    path.write_text("uscc\n1\n", "utf-8")
    result = run(str(path))
    assert result.exception is not None
    assert getattr(result.exception, "code", None) == 2
    assert registry.sent == []
