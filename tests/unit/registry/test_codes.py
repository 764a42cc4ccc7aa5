"""Customer codes: how they are built, issued and adopted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_10

from services.registry.adapters.files import read_configuration
from services.registry.domain.codes import (
    CodeScheme,
    IssuedCode,
    RangeExhausted,
    SerialRange,
    build_code,
    check_digit,
    clean_code,
    scheme_of_adopted,
    slot_of,
)

DEFAULT = CodeScheme("project-default-1", "", "", True, 6, 6)
SMALL = CodeScheme("small", "", "", True, 6, 1)


@pytest.mark.req("REG-4")
def test_the_first_code_of_suzhou_is_the_one_in_the_contract() -> None:
    assert build_code(DEFAULT, "320500", 1) == "3205000000011"


@pytest.mark.req("REG-4")
def test_the_shipped_scheme_says_that_it_is_not_the_text_of_the_standard() -> None:
    rules = read_configuration().rules
    assert rules.issuing == DEFAULT.__class__(
        "project-default-1",
        "project default, not the text of the standard",
        "项目默认，并非标准原文",
        True,
        6,
        6,
    )
    assert rules.default_unit == "3205"


@given(st.text("0123456789", min_size=1, max_size=20))
def test_check_digits_agree_with_an_independent_implementation(number: str) -> None:
    assert check_digit(number) == mod_11_10.calc_check_digit(number)


@pytest.mark.req("REG-4")
@given(st.integers(1, 999_999))
def test_every_code_names_its_own_serial_and_has_a_valid_check_digit(serial: int) -> None:
    code = build_code(DEFAULT, "320500", serial)
    assert len(code) == 13
    assert slot_of(DEFAULT, code) == ("320500", serial)
    assert mod_11_10.is_valid(code)


@pytest.mark.parametrize("serial", [0, 1_000_000])
def test_a_serial_outside_the_scheme_has_no_code(serial: int) -> None:
    with pytest.raises(ValueError, match="has no serial"):
        build_code(DEFAULT, "320500", serial)


@pytest.mark.req("REG-4")
@given(st.sets(st.integers(1, 60)), st.integers(1, 40))
def test_serials_are_never_reused_and_every_gap_is_explained(skipped: set[int], count: int) -> None:
    serials = SerialRange(DEFAULT, "320500", 0, set(skipped))
    taken = [serials.take() for _ in range(count)]
    issued = [each.serial for each in taken if isinstance(each, IssuedCode)]
    assert len(set(issued)) == count
    assert not set(issued) & skipped
    assert {*range(1, serials.last + 1)} - {*issued} <= skipped


@pytest.mark.req("REG-4")
def test_a_full_range_refuses_with_its_numbers_and_keeps_refusing() -> None:
    serials = SerialRange(SMALL, "320500", 0, {2})
    taken = [serials.take() for _ in range(8)]
    assert [each.serial for each in taken if isinstance(each, IssuedCode)] == [1, 3, 4, 5, 6, 7, 8, 9]
    assert serials.take() == RangeExhausted("small", "320500", 9)
    assert serials.take() == RangeExhausted("small", "320500", 9)


@pytest.mark.req("REG-4")
def test_a_legacy_code_takes_its_slot_whatever_its_last_digit_is() -> None:
    assert slot_of(DEFAULT, "3205000000057") == ("320500", 5)
    assert slot_of(DEFAULT, "3205000000000") is None
    assert slot_of(DEFAULT, "32050000000057") is None
    assert slot_of(DEFAULT, "L000123") is None


@pytest.mark.parametrize("code", ["3205000000011", "12345678901234", "123456789012345", "L000123", "客户-1"])
def test_codes_of_old_systems_are_kept_as_they_are(code: str) -> None:
    assert clean_code(f" {code} ") == code


@pytest.mark.parametrize(
    "code", ["", "   ", "A" * 33, "３２０５０００００００１１", "32050 0000011", "A\x00B", "A\tB"]
)
def test_what_cannot_be_a_code_or_looks_like_another_is_refused(code: str) -> None:
    assert clean_code(code) is None


def test_an_adopted_code_goes_under_the_scheme_that_knows_its_form() -> None:
    schemes = read_configuration().rules.schemes
    found = [
        scheme_of_adopted(schemes, code) for code in ("1" * 13, "1" * 15, "L000123", "客户-1", "S-1.2:3/4")
    ]
    names = [each.id if each else None for each in found]
    assert names == [
        "legacy-digits",
        "legacy-digits",
        "legacy-lettered",
        "legacy-lettered",
        "legacy-lettered",
    ]


@pytest.mark.req("REG-4")
@pytest.mark.parametrize(
    "code",
    [
        "1" * 12,
        "1" * 16,
        "12345",
        "#N/A",
        "#REF!",
        "3.20599E+12",
        "3.2E12",
        "3205990000226.0",
        "=A1",
        "'1",
        "-",
        "12-34",
    ],
)
def test_figures_of_another_length_and_the_remains_of_a_spreadsheet_are_never_adopted(code: str) -> None:
    assert scheme_of_adopted(read_configuration().rules.schemes, code) is None
