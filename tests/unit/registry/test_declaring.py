"""What a declarer says, read and checked; and the signs by which customers are compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from services.registry.adapters.declaration_files import read_industries
from services.registry.adapters.files import read_configuration, read_divisions
from services.registry.domain.codes import CodeScheme, SerialRange, passed_marks
from services.registry.domain.declarations import Contact, Content, DeclaredBy
from services.registry.domain.declaring import Knowledge, Read, Said, advised, industry_of, missing, read
from services.registry.domain.matching import address_key, keys_of, phone_keys, signs
from services.registry.domain.organisation import build_tree

KNOWLEDGE = Knowledge(
    build_tree(read_configuration().units),
    read_divisions(),
    {"manager": "manager", "李明": "manager", "manager-b": "manager-b"},
    read_industries(),
    date(2026, 3, 9),
)
SAID = Said(name=" 昆山 示例 ", unit_code="320583", expected_lines=("express", "letters"))


def reading(said: Said, by: DeclaredBy = "unit") -> Read:
    return read(said, KNOWLEDGE, by, "declarer")


def faults(**fields: object) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in reading(replace(SAID, **fields)).faults]  # type: ignore[arg-type]


@pytest.mark.req("REG-1")
def test_fields_are_stored_in_their_clean_form() -> None:
    found = reading(
        replace(
            SAID,
            industry="纺织业",
            address=" 昆山市  前进路 1 号 ",
            division="3205",
            contacts=(Contact(" 张三 ", "", "０５１２-5730 0000", None),),
            manager_a="李明",
            manager_b="manager-b",
        )
    )
    assert found.faults == ()
    assert found.content is not None
    assert (found.content.name, found.content.address) == ("昆山 示例", "昆山市 前进路 1 号")
    assert (found.content.industry, found.content.division) == ("C17", "320500")
    assert found.content.contacts == (Contact("张三", None, "0512-5730 0000", None),)
    assert found.content.expected_lines == ("letters", "express")
    assert (found.content.manager_a, found.content.manager_b) == ("manager", "manager-b")


@pytest.mark.req("REG-1")
@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": None}, ("/name", "missing_name")),
        ({"name": "  "}, ("/name", "missing_name")),
        ({"name": "()"}, None),
        ({"name": "x" * 201}, ("/name", "bad_name")),
        ({"unit_code": None}, ("/unit_code", "missing_unit_code")),
        ({"unit_code": "9999"}, ("/unit_code", "unknown_unit")),
        ({"uscc": "91320583MA1XXXXXXX"}, ("/uscc", "bad_uscc")),
        ({"division": "999999"}, ("/division", "unknown_division")),
        ({"industry": "造梦业"}, ("/industry", "unknown_industry")),
        ({"address": "路" * 201}, ("/address", "bad_address")),
        ({"manager_a": "nobody"}, ("/manager_a", "unknown_manager")),
        ({"manager_a": "manager", "manager_b": "李明"}, ("/manager_b", "single_manager")),
        ({"contacts": (Contact(""),)}, ("/contacts/0/name", "bad_contact_name")),
        ({"contacts": (Contact("张三", None, "打电话"),)}, ("/contacts/0/phone", "bad_phone")),
        ({"contacts": (Contact("张三", None, None, "a@b"),)}, ("/contacts/0/email", "bad_email")),
        ({"contacts": (Contact("张三"),) * 21}, ("/contacts", "too_many_contacts")),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(
    fields: dict[str, object], fault: tuple[str, str] | None
) -> None:
    assert faults(**fields) == ([] if fault is None else [fault])


@pytest.mark.req("REG-1")
def test_all_broken_fields_are_told_at_once() -> None:
    assert len(faults(name=None, unit_code="9", uscc="1", division="x")) == 4


@pytest.mark.req("REG-19")
def test_a_manager_who_names_nobody_proposes_themselves_as_a() -> None:
    found = reading(SAID, "manager")
    assert found.content is not None and found.content.manager_a == "declarer"
    unit = reading(SAID, "unit")
    assert unit.content is not None and unit.content.manager_a is None


@pytest.mark.req("REG-6")
def test_what_is_missing_is_told_apart_from_what_is_only_advised() -> None:
    assert missing(Said()) == ("name", "unit_code")
    assert missing(SAID) == ()
    assert "uscc" in advised(SAID) and "expected_lines" not in advised(SAID)


@pytest.mark.req("REG-1")
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("C17", "C17"),
        ("c17", "C17"),
        ("17", "C17"),
        ("１７", "C17"),
        ("纺织业", "C17"),
        ("C", "C"),
        ("制造业", "C"),
        ("Manufacturing", "C"),
        ("1713", "C1713"),
        ("C171", "C171"),
        ("D171", None),
        ("98", None),
        ("房地产业", "K"),
        ("9999", None),
        ("", None),
    ],
)
def test_an_industry_is_picked_by_code_or_name(text: str, code: str | None) -> None:
    assert industry_of(text, KNOWLEDGE.industries) == code


@pytest.mark.req("REG-6")
def test_customers_are_alike_by_name_address_or_telephone() -> None:
    ours = keys_of(
        Content(
            "昆山示例有限公司",
            address="昆山市前进路1号",
            contacts=(Contact("张三", None, "+86 512 5730-0000"),),
        )
    )
    assert signs(ours, keys_of(Content("昆山示例集团"))) == ("name",)
    assert signs(ours, keys_of(Content("别的", address="昆山市 前进路 1号"))) == ("address",)
    phone = (Contact("李四", None, "51257300000"),)
    assert signs(ours, keys_of(Content("别的", contacts=phone))) == ("phone",)
    assert signs(ours, keys_of(Content("别的"))) == ()


@pytest.mark.req("REG-6")
def test_what_says_too_little_is_not_compared() -> None:
    assert address_key("1号") == "" == address_key(None)
    assert phone_keys([Contact("张三", None, "11185")]) == ()
    empty = keys_of(Content("甲"))
    assert signs(empty, keys_of(Content("乙"))) == ()


@pytest.mark.req("REG-4")
@pytest.mark.parametrize(
    ("before", "last", "marks"),
    [(0, 89, []), (89, 90, [90]), (90, 91, []), (98, 99, [99]), (0, 99, [90, 99]), (99, 99, [])],
)
def test_a_range_tells_when_it_passes_90_and_99_percent(before: int, last: int, marks: list[int]) -> None:
    scheme = CodeScheme("s", "s", "s", True, 6, 2)
    assert passed_marks(SerialRange(scheme, "320500", last), before) == marks
