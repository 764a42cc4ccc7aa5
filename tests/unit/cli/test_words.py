"""Every text of the command line stands in the catalogue, and nothing stands there for it that it does not say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli
from cli.tabular import RowProblem
from cli.words import clauses, joined, named, phrase, word, words
from shared.contracts.claims_v1 import ClaimsHappening, PlanKind, PlanPhase, Stage
from shared.contracts.registry_v1 import DeclarationPhase, WaitingFor
from shared.contracts.tiering_v1 import ChangeReason, Direction
from shared.kernel.lines import Line
from shared.kernel.reasons import HeldReason
from shared.texts import CATALOGUE

KEY = re.compile(r"cli\.[a-z_]+(\.[a-z_]+)?")
BY_NAME = {f"cli.idle.{what}" for what in ("outbox_pending", "timers_due", "work_pending")}
"""Keys that are put together with the name of a member of `/ops/progress`."""


def nodes() -> Iterator[ast.AST]:
    for file in sorted(Path(cli.__path__[0]).rglob("*.py")):
        yield from ast.walk(ast.parse(file.read_text("utf-8")))


def strings() -> set[str]:
    return {node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def used() -> set[str]:
    return {text for text in strings() if KEY.fullmatch(text)} | BY_NAME


def test_every_text_that_the_command_line_says_is_there() -> None:
    assert used() - CATALOGUE.keys() == set()


def test_no_text_of_the_command_line_is_said_by_nobody() -> None:
    assert {key for key in CATALOGUE if key.startswith("cli.")} - used() == set()


def test_chinese_stands_in_the_catalogue_and_not_in_commands() -> None:
    """Headings of files, help, and the made-up people of the demo are data, and stay where they are."""
    calls = [node for node in nodes() if isinstance(node, ast.Call)]
    names = ("say", "CommandError", "NotNow", "UnusableFile", "Rejected")
    printed = [call for call in calls if getattr(call.func, "id", "") in names]
    found = [
        node.value
        for call in printed
        for node in ast.walk(call)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search("[一-鿿]", node.value)
    ]
    assert found == []


def test_every_kind_of_word_that_is_asked_for_exists() -> None:
    asked = {
        call.args[0].value
        for call in nodes()
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") in ("word", "words")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    known = {key.partition(".")[0] for key in CATALOGUE}
    assert asked
    assert asked <= known


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("line", Line), ("held", HeldReason), ("declaration", DeclarationPhase), ("waiting", WaitingFor), ("plan", PlanPhase),
        ("plan_kind", PlanKind), ("stage", Stage), ("happening", ClaimsHappening), ("change", ChangeReason),
        ("direction", Direction), ("row_problem", RowProblem),
    ],
)  # fmt: skip
def test_every_code_of_the_contracts_that_is_shown_has_a_word(kind: str, codes: object) -> None:
    assert [code for code in codes.__args__ if f"{kind}.{code}" not in CATALOGUE] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "chinese"),
    [
        ("plan.settling", "期满待核"), ("plan.expired", "期满失效"), ("declaration.approved", "已批准"),
        ("declaration.rejected", "已驳回"), ("declaration.pre_reviewed", "已预审"), ("declaration.returned", "退回补正"),
        ("happening.plan_refused", "未予备案"), ("step.resubmitted", "重新提交"), ("change.late_revenue", "补记收入"),
        ("change.year_end", "年终定级"), ("status.annulled", "已作废"), ("happening.case_opened", "立案待中心处理"),
        ("row_problem.open_quote", "有引号没有配对"),
        ("tier.silver", "白银客户"), ("cli.demo.dead_letters", "异常报文"), ("cli.map.code", "网点客户代码"),
    ],
)  # fmt: skip
def test_one_thing_has_the_one_word_of_the_rule_books(key: str, chinese: str) -> None:
    assert CATALOGUE[key][0] == chinese


def test_words_are_those_of_the_users_language(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {"name_zh": "苏州", "name_en": "Suzhou"}
    monkeypatch.setenv("KEYPOST_LANGUAGE", "zh")
    assert (word("tier", "gold"), word("tier", "unheard-of"), word("tier", None)) == (
        "黄金客户",
        "unheard-of",
        "-",
    )
    assert (words("line", ["express", "press"]), named(unit)) == ("速递、报刊", "苏州")
    assert (joined(["甲", "乙"]), clauses(["甲", "乙"]), phrase("cli.none")) == ("甲、乙", "甲，乙", "无")
    monkeypatch.setenv("KEYPOST_LANGUAGE", "en")
    assert (word("tier", "gold"), words("line", ["express", "press"]), named(unit)) == (
        "Gold",
        "Express, Press",
        "Suzhou",
    )
    assert (joined(["a", "b"]), clauses(["a", "b"]), phrase("cli.none")) == ("a, b", "a, b", "none")
