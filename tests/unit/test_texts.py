"""The catalogue of words: each key once, both languages, every refusal has its sentence, and values are written as the language
writes them."""

from __future__ import annotations

import importlib
import pkgutil
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

import pytest

import services
import shared
from shared.kernel.refusals import Kind, Refusal
from shared.problems import STATUS
from shared.texts import CATALOGUE, Language, codes, say, word
from shared.texts.catalogue import united

LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")


def refusals(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for each in of.__subclasses__():
        yield each
        yield from refusals(each)


def everything_is_imported() -> None:
    for package in (shared, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def test_every_refusal_has_a_sentence_in_both_languages_and_a_status() -> None:
    everything_is_imported()
    for refusal in refusals():
        # What only gives others their form (no code) is no refusal itself.
        if refusal.__module__.startswith(("shared.", "services.")) and hasattr(refusal, "code"):
            assert refusal.kind in STATUS, refusal
            starts = f"problem.{refusal.code}"
            assert any(key == starts or key.startswith(f"{starts}_") for key in CATALOGUE), refusal


def test_both_languages_name_the_same_values() -> None:
    def named(text: str) -> set[str]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    for key, (zh, en) in CATALOGUE.items():
        assert named(zh) == named(en), key


def test_every_text_is_there_in_its_language() -> None:
    for key, (zh, en) in CATALOGUE.items():
        assert zh.strip() == zh, key
        assert en.strip() == en or key in ("brackets", "colon"), key
        assert zh and en, key
        assert not re.search(r"[一-鿿]", en), key


@pytest.mark.parametrize(
    ("retired", "word"),
    [
        ("索赔", "客户开发管理"),
        ("理赔", "客户开发管理"),
        ("招标", "公开竞标"),
        ("投标", "公开竞标"),
        ("分级方案", "分级标准"),
        ("窗口期", "独家开发期"),
        ("死信", "异常报文"),
        ("网点代码", "网点客户代码"),
        ("结算等待", "期满待核"),
        ("结算中", "期满待核"),
        ("待结转", "期满待核"),
        ("年度结算", "年终定级"),
        ("年度结账", "年终定级"),
        ("迟到收入", "补记收入"),
        ("审批通过", "已批准"),
        ("预审通过", "已预审"),
        ("不予登记", "未予备案"),
        ("未予登记", "未予备案"),
        ("再次提交", "重新提交"),
        ("有待裁定的争议", "立案待中心处理"),
    ],
)
def test_one_thing_has_one_word(retired: str, word: str) -> None:
    """Words that were in use beside the one that the house has settled on, or that the rule books do not use."""
    assert not [key for key, (zh, _) in CATALOGUE.items() if retired in zh], f"say {word}"


def test_a_key_stands_in_one_part_only() -> None:
    with pytest.raises(ValueError, match="stands in two parts"):
        united([{"tier.gold": ("黄金客户", "Gold")}, {"tier.gold": ("黄金", "Gold")}])


@dataclass(frozen=True, slots=True)
class _Shown(Refusal):
    until: datetime
    code: ClassVar[str] = "shown"
    kind: ClassVar[Kind] = "conflict"


def test_values_are_written_as_the_language_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "x.all": (
            "至 {at:instant}，{day:date}，{fen:yuan} 元，{codes}",
            "to {at:instant}, {day:date}, {fen:yuan}, {codes}",
        ),
        "colour.red": ("红", "red"),
        "x.words": ("{colours:colour}", "{colours:colour}"),
    }
    monkeypatch.setattr("shared.texts.catalogue.CATALOGUE", texts)
    values = {
        "at": datetime(2026, 3, 31, 16, 0, tzinfo=UTC),
        "day": date(2026, 3, 9),
        "fen": -123_456_705,
        "codes": ("a", "b"),
    }
    assert say("x.all", "zh-CN", **values) == "至 2026年04月01日 00:00，2026-03-09，-1,234,567.05 元，a、b"
    assert say("x.all", "en", **values) == "to 2026-04-01 00:00, 2026-03-09, -1,234,567.05, a, b"
    assert say("x.words", "zh-CN", colours=["red", "blue"]) == "红、blue"


def test_a_code_without_a_word_is_shown_as_it_is() -> None:
    assert word("tier", "unheard-of", "zh-CN") == "unheard-of"


def test_an_unknown_key_or_a_missing_value_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        say("problem.no_such_thing", "en")
    with pytest.raises(KeyError):
        say("problem.body_too_large", "en", other=1)


def test_codes_of_a_kind_come_in_the_order_of_the_catalogue() -> None:
    assert codes("tier") == ("diamond", "platinum", "gold", "silver", "vip", "ordinary", "none")
