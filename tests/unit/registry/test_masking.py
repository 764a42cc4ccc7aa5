"""Personal data as it is shown to those who need not act on it."""

from __future__ import annotations

import pytest

from services.registry.domain.declarations import Contact, Content
from services.registry.domain.masking import (
    masked,
    masked_address,
    masked_email,
    masked_name,
    masked_phone,
    masked_record,
)

pytestmark = pytest.mark.req("REG-17")


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("13812345678", "***5678"),
        ("+86 0512-57300900", "***0900"),
        ("0512-57300900转8", "***9008"),
        ("57300900", "***00"),
        ("1234567", "***7"),
        ("123456", "***"),
        ("95580", "***"),
    ],
)
def test_of_a_telephone_number_at_most_the_last_four_digits_are_shown_and_six_stay_hidden(
    phone: str, shown: str
) -> None:
    assert masked_phone(phone) == shown


def test_of_a_name_one_character_is_shown_and_not_how_long_it_is() -> None:
    assert [masked_name(name) for name in ("张三", "欧阳文忠", "Li Ming", "王")] == [
        "张***",
        "欧***",
        "L***",
        "王***",
    ]
    assert masked_email("zhang.san@example.com") == "z***@example.com"
    assert masked_address("昆山市前进路900号") == "昆山市***"


def test_masked_content_keeps_everything_but_contacts_and_address() -> None:
    content = Content(
        "某公司", uscc="91320583MA0000031A", address="昆山市前进路900号", contacts=(Contact("张三", "经理", "13812345678"),)
    )  # fmt: skip
    shown = masked(content)
    assert shown.contacts == (Contact("张***", "经理", "***5678"),)
    assert (shown.name, shown.uscc, shown.address) == ("某公司", "91320583MA0000031A", "昆山市***")
    assert masked(Content("某公司")) == Content("某公司")


def test_the_record_is_masked_as_the_declaration_is() -> None:
    kept = {
        "name": "某公司",
        "address": None,
        "contacts": [{"name": "张三", "position": None, "phone": None, "email": None}],
    }
    assert masked_record(kept)["contacts"][0]["name"] == "张***"
