"""Normal forms of names, and unified social credit codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc as stdnum_uscc

from services.registry.domain.names import clean_name, identity_key, similarity_key
from shared.kernel.credit_codes import ALPHABET, check_character, clean_uscc


@given(st.text(max_size=40))
def test_normalising_a_name_twice_changes_nothing(name: str) -> None:
    assert identity_key(identity_key(name)) == identity_key(name)


@pytest.mark.parametrize(
    "typed",
    [
        "苏州安邦（集团）有限公司",
        "苏州安邦(集团)有限公司",
        " 苏州安邦 【集团】 有限公司",
        "苏州安邦（集团）有限公司\u200b",
    ],
)
def test_how_a_name_was_typed_makes_no_other_customer(typed: str) -> None:
    assert identity_key(typed) == identity_key("苏州安邦(集团)有限公司")
    assert identity_key("ＡＢＣ Ltd") == identity_key("abc ltd")


def test_legal_forms_make_names_similar_and_not_the_same() -> None:
    names = [
        "苏州安邦商贸有限公司",
        "苏州安邦商贸有限责任公司",
        "苏州安邦商贸股份有限公司",
        "苏州安邦·商贸（集团）公司",
    ]
    assert len({identity_key(name) for name in names}) == 4
    assert {similarity_key(name) for name in names} == {"苏州安邦商贸"}


def test_a_branch_is_similar_to_its_company() -> None:
    assert similarity_key("苏州安邦商贸有限公司昆山分公司") == similarity_key("苏州安邦商贸有限公司")


@given(st.text(min_size=1, max_size=40))
def test_a_name_that_is_one_always_has_keys(name: str) -> None:
    cleaned = clean_name(name)
    if cleaned is not None:
        assert identity_key(cleaned)
        assert similarity_key(cleaned)


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "a\x00b", "名" * 201])
def test_what_is_no_name_is_refused(name: str) -> None:
    assert clean_name(name) is None


def made(first17: str) -> str:
    return first17 + check_character(first17)


@pytest.mark.req("REG-1")
@given(st.text("0123456789", min_size=8, max_size=8), st.text(ALPHABET, min_size=9, max_size=9))
def test_check_characters_agree_with_an_independent_implementation(head: str, tail: str) -> None:
    code = made("9" + head[1:] + tail)
    assert stdnum_uscc.is_valid(code)
    assert clean_uscc(code) == code


@pytest.mark.req("REG-1")
@pytest.mark.parametrize("code", ["91330100799655058B", "9144030071526726XG", "91100000100003962T"])
def test_codes_of_known_companies_are_valid(code: str) -> None:
    assert clean_uscc(code) == code


@pytest.mark.req("REG-1")
def test_an_authority_may_be_a_letter_but_not_any() -> None:
    assert clean_uscc(made("Y1320500QT1234567")) is not None
    assert clean_uscc(made("N1320500QT1234567")) is not None
    assert clean_uscc(made("B1320500QT1234567")) is None


@pytest.mark.req("REG-1")
def test_width_case_and_separators_of_a_credit_code_do_not_matter() -> None:
    assert clean_uscc("９1330100-79965505 8b") == "91330100799655058B"


@pytest.mark.req("REG-1")
@pytest.mark.parametrize(
    "code", ["91330100799655058C", "9133010079965505", "91330100799655O58B", "913301A0799655058B"]
)
def test_a_wrong_credit_code_is_refused(code: str) -> None:
    assert clean_uscc(code) is None


@pytest.mark.req("REG-1")
@given(st.integers(0, 17), st.integers(1, 30))
def test_one_wrong_character_of_a_credit_code_is_always_noticed(place: int, shift: int) -> None:
    code = made("91320500QT1234567")
    other = ALPHABET[(ALPHABET.index(code[place]) + shift) % 31]
    assert clean_uscc(code[:place] + other + code[place + 1 :]) is None
