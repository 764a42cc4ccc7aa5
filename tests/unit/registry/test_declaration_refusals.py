"""Why a step of a declaration is refused: what programs read of it, and the sentence for people in both languages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.registry.domain.declaration_refusals import (
    NO_CODE,
    AlreadyDecided,
    DeclaredEarlier,
    DuplicateCreditCode,
    OwnRequest,
)
from services.registry.domain.delegating import Term
from services.registry.handlers import decide_declaration as deciding
from services.registry.handlers import declare as declaring
from services.registry.handlers import delegate as delegating
from shared.commands import problem_of, refusals_of
from shared.kernel.refusals import BrokenFields, Fault, Refusal
from shared.problems import sentence

AT = datetime(2026, 3, 9, 2, tzinfo=UTC)


@pytest.mark.req("REG-6")
def test_who_holds_a_credit_code_is_told_by_its_unit_and_what_only_where_it_may_be_seen() -> None:
    seen = DuplicateCreditCode("320583", "昆山市局", "Kunshan", "3205000000018", "先到公司")
    assert problem_of(seen).members == {
        "holder_unit": "320583",
        "holder_name_zh": "昆山市局",
        "holder_name_en": "Kunshan",
        "customer_code": "3205000000018",
        "name": "先到公司",
    }
    hidden = DeclaredEarlier("320583", "昆山市局", "Kunshan")
    assert hidden.members().keys() == {"holder_unit", "holder_name_zh", "holder_name_en"}
    assert "昆山市局" in sentence(hidden, "zh-CN") and "Kunshan" in sentence(hidden, "en")
    assert "先到公司" not in sentence(seen, "zh-CN")


@pytest.mark.req("REG-4")
@pytest.mark.parametrize(
    ("code", "zh", "en"),
    [
        (
            "3205000000018",
            "该注册申请已由 centre 于 2026年03月09日 10:00 处理：已批准，大客户代码 3205000000018。",
            "centre decided this declaration at 2026-03-09 10:00: approved as 3205000000018.",
        ),
        (
            None,
            "该注册申请已由 centre 于 2026年03月09日 10:00 处理：已驳回。",
            "centre decided this declaration at 2026-03-09 10:00: rejected.",
        ),
    ],
)
def test_a_decided_declaration_says_who_decided_it_when_and_what_came_of_it(
    code: str | None, zh: str, en: str
) -> None:
    decided = AlreadyDecided("approved" if code else "rejected", "centre", AT, code)
    assert (sentence(decided, "zh-CN"), sentence(decided, "en")) == (zh, en)
    assert problem_of(decided).members["customer_code"] == code
    assert problem_of(decided).status == 409


def test_the_sentence_of_ones_own_request_is_about_declarations() -> None:
    assert sentence(OwnRequest(), "zh-CN") == "不能审批本人提出的注册申请。"


def test_broken_fields_are_told_in_the_language_of_who_asks() -> None:
    problem = problem_of(BrokenFields((Fault("/uscc", "bad_uscc"),)))
    assert (problem.status, problem.code) == (422, "invalid_fields")
    assert problem.members_in("en") == {
        "errors": [{"pointer": "/uscc", "code": "bad_uscc", "detail": "is not a unified social credit code"}]
    }
    assert problem.members_in("zh-CN")["errors"][0]["detail"] == "统一社会信用代码不正确（校验位不符）"


def test_a_delegation_that_is_too_long_keeps_its_code_and_has_words_of_its_own() -> None:
    today = AT.date()
    faults = Term(today, today.replace(month=12), today, 62).faults()
    (error,) = problem_of(BrokenFields(tuple(faults))).members_in("zh-CN")["errors"]
    assert error == {"pointer": "/to_on", "code": "too_long", "detail": "委托期限过长"}


HANDLERS = (
    declaring.declare,
    declaring.edit_declaration,
    declaring.submit_declaration,
    declaring.withdraw_declaration,
    deciding.pre_review_declaration,
    deciding.decide_declaration,
    delegating.delegate,
    delegating.revoke_delegation,
)


def test_every_command_names_its_refusals_one_by_one() -> None:
    for handler in HANDLERS:
        named = refusals_of(handler)
        assert named and Refusal not in named, handler
    assert set(NO_CODE.values()) <= set(refusals_of(deciding.decide_declaration))
