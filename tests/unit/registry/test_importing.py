"""The bulk load of customers, row by row (contract "Files", customers)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain.book import Book
from services.registry.domain.codes import CodeScheme, SerialRange
from services.registry.domain.import_rows import ImportRow, Rejected, Words, read_row
from services.registry.domain.importing import Loaded, Outcome, Policy, decide
from services.registry.domain.organisation import Unit, build_tree
from services.registry.domain.registering import Grounds, NotRegistered, Registrant, register
from shared.kernel.credit_codes import check_character

ISSUING = CodeScheme("project-default-1", "", "", True, 6, 6)
LEGACY = CodeScheme("legacy-opaque", "", "", False, pattern=".{1,32}")
UNITS = build_tree(
    [
        Unit("CN", "全国", "National", "national", None),
        Unit("32", "江苏", "Jiangsu", "province", "CN", "320000"),
        Unit("3201", "南京", "Nanjing", "city", "32", "320100", city_group=1),
        Unit("3205", "苏州", "Suzhou", "city", "32", "320500"),
        Unit("320581", "常熟", "Changshu", "county", "3205", "320581"),
        Unit("320599", "旧", "Old", "county", "3205", "320581", valid_to=date(2020, 1, 1)),
    ]
)
POLICY = Policy(
    Grounds(datetime(2026, 3, 9, 2, tzinfo=UTC), date(2026, 3, 9), UNITS, (ISSUING, LEGACY), ISSUING),
    Words(
        UNITS,
        frozenset({"320000", "320100", "320500", "320581"}),
        {"li.ming": "li.ming", "李明": "li.ming", "wang.fang": "wang.fang"},
    ),
    default_unit="3205",
    scopes=("/CN",),
)
A = "91320500QT1234567"
USCC_A = A + check_character(A)
B = "91320500QT7654321"
USCC_B = B + check_character(B)


def new_book() -> Book:
    return Book({division: SerialRange(ISSUING, division) for division in ("320000", "320100", "320500")})


def load(book: Book, policy: Policy = POLICY, **values: str) -> Outcome:
    read = read_row(2, values, policy.words)
    return read if isinstance(read, Rejected) else decide(book, read, policy)


def loaded(book: Book, policy: Policy = POLICY, **values: str) -> Loaded:
    outcome = load(book, policy, **values)
    assert isinstance(outcome, Loaded), outcome
    return outcome


def reasons(book: Book, policy: Policy = POLICY, **values: str) -> tuple[str, ...]:
    outcome = load(book, policy, **values)
    assert isinstance(outcome, Rejected), outcome
    return outcome.reasons


def facts(outcome: Loaded) -> list[str]:
    return [fact.what for fact in outcome.facts]


@pytest.mark.req("REG-4")
def test_a_new_name_is_registered_with_the_next_code_of_the_default_centre() -> None:
    book = new_book()
    first, second = loaded(book, name="甲公司"), loaded(book, name="乙公司")
    assert first.after.code == "3205000000011"
    assert second.after.code.startswith("320500000002")
    assert (first.after.unit_code, first.after.kind, first.after.version) == ("3205", "potential", 1)
    assert facts(first) == ["code_assigned", "imported"]


@pytest.mark.req("REG-4")
def test_a_customer_of_a_county_gets_a_code_of_its_city() -> None:
    assert loaded(new_book(), name="甲公司", unit_code="320581").after.code == "3205000000011"


@pytest.mark.req("REG-20")
def test_a_row_with_code_agreement_and_managers_is_one_version() -> None:
    outcome = loaded(
        new_book(),
        name="甲公司",
        customer_code="1234567890123",
        agreement_no="A-1",
        agreement_signed_on="2026-01-05",
        agreement_ends_on="2026-12-31",
        manager_a="李明",
        manager_b="wang.fang",
    )
    assert outcome.after.version == 1
    assert outcome.after.manager_a == "li.ming"
    assert outcome.after.agreements[0].state == "in_force"
    assert facts(outcome) == ["code_adopted", "imported", "managers_bound", "agreement_signed"]


@pytest.mark.req("REG-4")
def test_an_adopted_code_in_the_issuing_range_makes_its_serial_skipped() -> None:
    book = new_book()
    adopted = loaded(book, name="旧客户", customer_code="3205000000011")
    assert adopted.assignment is not None and adopted.assignment.skipped == ("320500", 1)
    assert loaded(book, name="新客户").after.code.startswith("320500000002")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"customer_code": "77"}, {"customer_code": "77"}),
        ({"uscc": USCC_A}, {"uscc": USCC_A}),
        ({}, {}),
        ({"uscc": USCC_A}, {}),
        ({"customer_code": "77", "uscc": USCC_A}, {"uscc": USCC_A}),
    ],
)
def test_a_row_is_known_by_its_code_else_its_credit_code_else_its_name_and_unit(
    first: Mapping[str, str], again: Mapping[str, str]
) -> None:
    book = new_book()
    one = loaded(book, name="甲（苏州）公司", **first)
    two = loaded(book, name="甲(苏州)公司 ", **again)
    assert two.after.code == one.after.code
    assert two.result == "unchanged"


def test_one_name_in_two_units_is_two_customers() -> None:
    book = new_book()
    assert loaded(book, name="甲公司").after.code != loaded(book, name="甲公司", unit_code="3201").after.code


def test_of_several_customers_of_one_name_a_bare_row_always_means_the_same() -> None:
    book = new_book()
    first = loaded(book, name="甲公司", uscc=USCC_A)
    loaded(book, name="甲公司", uscc=USCC_B)
    assert loaded(book, name="甲公司").after.code == first.after.code


def test_similar_names_are_loaded_and_listed() -> None:
    book = new_book()
    first = loaded(book, name="安邦商贸有限公司")
    second = loaded(book, name="安邦商贸有限责任公司")
    assert second.result == "created"
    assert second.similar == (first.after.code,)
    assert "similar_name" in second.notices


def test_blanks_change_nothing() -> None:
    book = new_book()
    full = loaded(
        book,
        name="甲公司",
        uscc=USCC_A,
        division="320581",
        industry="5199",
        kind="active",
        manager_a="li.ming",
    )
    again = loaded(book, name="甲公司", uscc=USCC_A)
    assert (again.result, again.after) == ("unchanged", full.after)


def test_given_fields_that_are_not_controlled_are_brought_up_to_date_in_one_version() -> None:
    book = new_book()
    loaded(book, name="甲公司")
    outcome = loaded(
        book, name="甲公司", division="320581", industry="5199", kind="现实客户", manager_b="li.ming"
    )
    assert (outcome.result, outcome.after.version) == ("updated", 2)
    assert (outcome.after.division, outcome.after.kind) == ("320581", "active")
    assert facts(outcome) == ["updated", "managers_bound"]


def test_an_active_customer_never_becomes_potential_again() -> None:
    book = new_book()
    loaded(book, name="甲公司", kind="active")
    assert loaded(book, name="甲公司", kind="potential").result == "unchanged"


def test_a_missing_credit_code_is_filled_in_and_a_different_one_rejects() -> None:
    book = new_book()
    loaded(book, name="甲公司", customer_code="77")
    assert loaded(book, name="甲公司", customer_code="77", uscc=USCC_A).after.uscc == USCC_A
    assert reasons(book, name="甲公司", customer_code="77", uscc=USCC_B) == ("uscc_differs",)


def test_controlled_fields_reject_the_row_and_nothing_of_it_is_applied() -> None:
    book = new_book()
    before = loaded(book, name="甲公司", uscc=USCC_A).after
    assert reasons(book, name="乙公司", uscc=USCC_A, industry="1") == ("name_differs",)
    assert reasons(book, name="甲公司", uscc=USCC_A, unit_code="3201") == ("unit_differs",)
    assert book.by_code[before.code] == before


def test_a_code_held_by_another_rejects() -> None:
    book = new_book()
    loaded(book, name="甲公司", customer_code="77", uscc=USCC_A)
    assert reasons(book, name="乙公司", customer_code="77")[0] == "code_taken"
    assert reasons(book, name="乙公司", customer_code="77", uscc=USCC_B)[0] == "code_taken"


def test_a_credit_code_held_under_another_code_rejects() -> None:
    book = new_book()
    loaded(book, name="甲公司", uscc=USCC_A)
    assert reasons(book, name="乙公司", customer_code="77", uscc=USCC_A) == ("duplicate_uscc",)
    loaded(book, name="丙公司", customer_code="88")
    assert reasons(book, name="丙公司", customer_code="88", uscc=USCC_A) == ("duplicate_uscc",)


@pytest.mark.req("PLT-13")
def test_a_person_loads_only_into_their_own_units_and_learns_nothing_of_others() -> None:
    book = new_book()
    loaded(book, name="甲公司", unit_code="3201", uscc=USCC_A, customer_code="77")
    suzhou = replace(POLICY, scopes=("/CN/32/3205",))
    assert reasons(book, suzhou, name="乙公司", unit_code="3201") == ("unit_out_of_scope",)
    assert load(book, suzhou, name="甲公司", customer_code="77") == Rejected(2, ("code_taken",))
    assert load(book, suzhou, name="甲公司", uscc=USCC_A) == Rejected(2, ("duplicate_uscc",))


@pytest.mark.req("REG-20")
def test_a_new_agreement_number_is_signed_and_the_same_again_changes_nothing() -> None:
    book = new_book()
    loaded(book, name="甲公司", agreement_no="A-1", agreement_signed_on="2025-01-05")
    renewal = loaded(book, name="甲公司", agreement_no="A-2", agreement_signed_on="2026-01-05")
    assert [each.agreement_no for each in renewal.after.agreements] == ["A-1", "A-2"]
    assert facts(renewal) == ["agreement_signed"]
    assert (
        loaded(book, name="甲公司", agreement_no="A-2", agreement_signed_on="2026-01-05").result
        == "unchanged"
    )
    assert loaded(book, name="甲公司", agreement_no="A-2").result == "unchanged"


@pytest.mark.req("REG-20")
@pytest.mark.parametrize(
    ("ends_on", "told"),
    [
        ("2026-03-08", ["agreement_changed", "agreement_ended"]),
        ("2026-03-09", ["agreement_changed"]),
        ("2027-12-31", ["agreement_changed"]),
    ],
)
def test_an_end_date_in_the_past_ends_an_agreement_and_a_later_one_moves_its_end(
    ends_on: str, told: list[str]
) -> None:
    book = new_book()
    loaded(book, name="甲公司", agreement_no="A-1", agreement_signed_on="2025-01-05")
    outcome = loaded(book, name="甲公司", agreement_no="A-1", agreement_ends_on=ends_on)
    assert facts(outcome) == told
    assert outcome.after.version == 2
    assert loaded(book, name="甲公司", agreement_no="A-1", agreement_ends_on=ends_on).result == "unchanged"


@pytest.mark.req("REG-20")
def test_an_agreement_that_is_over_is_recorded_as_signed_and_ended() -> None:
    outcome = loaded(
        new_book(),
        name="甲公司",
        agreement_no="A-1",
        agreement_signed_on="2024-01-01",
        agreement_ends_on="2024-12-31",
    )
    assert outcome.after.agreements[0].state == "ended"
    assert facts(outcome) == ["code_assigned", "imported", "agreement_signed", "agreement_ended"]


@pytest.mark.req("REG-20")
def test_an_overdue_end_is_settled_before_the_row_even_if_its_timer_is_late() -> None:
    book = new_book()
    loaded(
        book,
        name="甲公司",
        agreement_no="A-1",
        agreement_signed_on="2025-01-05",
        agreement_ends_on="2026-03-31",
    )
    april = replace(POLICY, grounds=replace(POLICY.grounds, today=date(2026, 4, 1)))
    late = {"agreement_no": "A-1", "agreement_ends_on": "2027-03-31"}
    assert reasons(book, april, name="甲公司", **late) == ("agreement_already_ended",)
    assert facts(loaded(book, april, name="甲公司")) == ["agreement_ended"]


@pytest.mark.req("REG-20")
def test_an_end_at_the_end_of_the_calendar_means_none_and_lifts_the_one_there_was() -> None:
    book = new_book()
    term = {"agreement_no": "A-1", "agreement_signed_on": "2026-01-05"}
    assert (
        loaded(book, name="甲公司", **term, agreement_ends_on="9999/12/31").after.agreements[0].ends_on
        is None
    )
    assert facts(loaded(book, name="甲公司", **term, agreement_ends_on="2027-01-04")) == ["agreement_changed"]
    lifted = loaded(book, name="甲公司", **term, agreement_ends_on="9999-12-31")
    assert (facts(lifted), lifted.after.agreements[0].ends_on) == (["agreement_changed"], None)
    assert loaded(book, name="甲公司", **term, agreement_ends_on="9999-12-31").result == "unchanged"


def test_a_row_about_a_merged_customer_that_says_what_is_so_changes_nothing() -> None:
    book = new_book()
    merged = replace(loaded(book, name="甲公司", industry="5199").after, status="merged")
    book.add(merged)
    row = {"name": "甲公司", "customer_code": merged.code}
    assert loaded(book, **row, industry="5199").result == "unchanged"
    assert reasons(book, **row, industry="5200") == ("customer_merged",)


@pytest.mark.req("REG-4")
def test_registering_needs_no_file_and_refuses_with_every_hindrance() -> None:
    book = new_book()
    first = register(book, Registrant("甲公司", "320581", uscc=USCC_A, manager_a="li.ming"), POLICY.grounds)
    assert not isinstance(first, NotRegistered)
    assert (first.customer.code, [fact.what for fact in first.facts]) == (
        "3205000000011",
        ["code_assigned", "managers_bound"],
    )
    book.add(first.customer)
    again = register(book, Registrant("乙公司", "320599", uscc=USCC_A), POLICY.grounds)
    assert again == NotRegistered(("closed_unit", "duplicate_uscc"))
    assert book.ranges["320500"].last == 1


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, ("missing_name",)),
        ({"name": "\u200b"}, ("bad_name",)),
        ({"name": "甲", "uscc": "91330100799655058C"}, ("bad_uscc",)),
        ({"name": "甲", "unit_code": "9999"}, ("unknown_unit",)),
        ({"name": "甲", "unit_code": "320599"}, ("closed_unit",)),
        ({"name": "甲", "unit_code": "CN"}, ("unit_without_division",)),
        ({"name": "甲", "division": "999999"}, ("unknown_division",)),
        ({"name": "甲", "kind": "lost"}, ("bad_kind",)),
        ({"name": "甲", "customer_code": "1" * 33}, ("bad_code",)),
        ({"name": "甲", "manager_a": "陌生人"}, ("bad_manager_a",)),
        (
            {"name": "甲", "agreement_no": "A", "agreement_signed_on": "2026-02-30"},
            ("bad_agreement_signed_on",),
        ),
        ({"name": "甲", "agreement_no": "A"}, ("missing_agreement_signed_on",)),
        (
            {"name": "甲", "agreement_no": "A", "agreement_signed_on": "0206-01-01"},
            ("bad_agreement_signed_on",),
        ),
        (
            {"name": "甲", "agreement_no": "A", "agreement_signed_on": "9999-12-31"},
            ("bad_agreement_signed_on",),
        ),
        (
            {
                "name": "甲",
                "agreement_no": "A",
                "agreement_signed_on": "2026-01-01",
                "agreement_ends_on": "3000-01-01",
            },
            ("bad_agreement_ends_on",),
        ),
        ({"name": "甲", "agreement_signed_on": "2026-02-03"}, ("missing_agreement_no",)),
        (
            {
                "name": "甲",
                "agreement_no": "A",
                "agreement_signed_on": "2026-02-03",
                "agreement_ends_on": "2026-02-02",
            },
            ("agreement_ends_before_signed",),
        ),
        ({"uscc": "1", "kind": "x"}, ("missing_name", "bad_uscc", "bad_kind")),
    ],
)
def test_a_bad_row_is_rejected_with_every_reason(values: Mapping[str, str], found: tuple[str, ...]) -> None:
    assert reasons(new_book(), **values) == found


ROWS = st.fixed_dictionaries(
    {"name": st.sampled_from(["甲公司", "乙公司", "丙有限公司", "丙公司"])},
    optional={
        "customer_code": st.sampled_from(["3205000000011", "3205000000038", "3205000000029", "77"]),
        "uscc": st.sampled_from([USCC_A, USCC_B]),
        "unit_code": st.sampled_from(["3201", "3205", "320581"]),
        "agreement_no": st.sampled_from(["A-1", "A-2"]),
        "agreement_signed_on": st.just("2025-01-05"),
        "agreement_ends_on": st.sampled_from(["2025-12-31", "2026-12-31"]),
        "industry": st.sampled_from(["1", "2"]),
    },
)


@pytest.mark.req("REG-4")
@settings(max_examples=300)
@given(st.lists(ROWS, max_size=25))
def test_whatever_a_file_holds_identities_stay_unique_and_gaps_explained(rows: list[dict[str, str]]) -> None:
    book = new_book()
    outcomes = [load(book, **row) for row in rows]
    created = [each for each in outcomes if isinstance(each, Loaded) and each.result == "created"]
    codes = [each.after.code for each in created]
    assert len(set(codes)) == len(codes) == len(book.by_code)
    credit_codes = [each.uscc for each in book.by_code.values() if each.uscc]
    assert len(set(credit_codes)) == len(credit_codes)
    for division, serials in book.ranges.items():
        assigned = [each.assignment for each in created if each.assignment is not None]
        issued = {each.issued.serial for each in assigned if each.issued and each.issued.division == division}
        skipped = {each.skipped[1] for each in assigned if each.skipped and each.skipped[0] == division}
        assert set(range(1, serials.last + 1)) == issued | {n for n in skipped if n <= serials.last}
        assert not issued & skipped
    for each in outcomes:
        if isinstance(each, Loaded) and each.before is not None:
            assert each.after.version == each.before.version + (each.result == "updated")


@settings(max_examples=300)
@given(st.lists(ROWS, max_size=25))
def test_rows_that_are_loaded_a_second_time_register_nobody(rows: list[dict[str, str]]) -> None:
    book = new_book()
    good = [row for row in rows if isinstance(load(book, **row), Loaded)]
    before = set(book.by_code)
    for row in good:
        load(book, **row)
    assert set(book.by_code) == before


def test_a_row_keeps_its_fields() -> None:
    row = read_row(7, {"name": " 甲 公司 ", "division": "3205", "unknown": "x"}, POLICY.words)
    assert row == ImportRow(7, "甲 公司", division="320500")
