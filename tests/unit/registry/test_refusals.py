"""Refusals of acts on customers: the status, code and members that programs rely on, and the sentences that people read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.registry.domain.agreements import (
    Agreement,
    AgreementDiffers,
    AlreadyEnded,
    EndLiesAhead,
    EndsBeforeSigned,
    SignedInFuture,
    UnknownAgreement,
)
from services.registry.domain.counter_codes import (
    BadCode,
    CodeIsRegistered,
    EndsBeforeStart,
    ForeignCounters,
    ForeignRange,
    MappedElsewhere,
    MappingEnded,
    Meaning,
    UnknownMapping,
)
from services.registry.domain.customers import (
    CustomerAnnulled,
    CustomerRetired,
    MergedInto,
    UnknownCustomer,
)
from services.registry.domain.merging import (
    AgreementsClash,
    AlreadyDecided,
    AlreadyProposed,
    AlreadySigned,
    NotOnStaff,
    OwnRequest,
    SameCustomer,
    SameOffice,
    UnknownMerge,
)
from services.registry.entrypoints.organisation import NoUnit
from services.registry.handlers.import_customers import DuplicateRows, ImportConflict, UnknownImport
from services.registry.handlers.sign_agreement import UnknownUnit
from shared.kernel.refusals import Refusal
from shared.problems import Problem

DAY = date(2026, 3, 9)
KNOWN = Agreement(
    "A-1", DAY, None, "in_force", None, datetime(2026, 3, 9, 2, tzinfo=UTC), ("express",), "3205"
)


@pytest.mark.parametrize(
    ("refusal", "status", "code", "members"),
    [
        (UnknownCustomer("X"), 404, "unknown_customer", {}),
        (MergedInto("X", "Y"), 409, "merged_into", {"merged_into": "Y"}),
        (CustomerRetired("X"), 409, "customer_retired", {"customer_code": "X"}),
        (CustomerAnnulled("X"), 409, "customer_annulled", {"customer_code": "X"}),
        (UnknownUnit("9"), 422, "unknown_unit", {"unit_code": "9"}),
        (NoUnit(), 404, "unknown_unit", {}),
        (UnknownAgreement("A-1"), 404, "unknown_agreement", {}),
        (
            AgreementDiffers(KNOWN),
            409,
            "agreement_exists",
            {
                "agreement": {
                    "agreement_no": "A-1",
                    "signed_on": "2026-03-09",
                    "ends_on": None,
                    "lines": ["express"],
                    "unit_code": "3205",
                    "state": "in_force",
                }
            },
        ),
        (AlreadyEnded("A-1", DAY), 409, "agreement_already_ended", {"ended_on": "2026-03-09"}),
        (EndsBeforeSigned(DAY), 422, "ends_before_signed", {"limit": "2026-03-09"}),
        (SignedInFuture(DAY), 422, "signed_in_future", {"limit": "2026-03-09"}),
        (EndLiesAhead(DAY), 422, "end_lies_ahead", {"limit": "2026-03-09"}),
        (BadCode(), 422, "bad_code", {}),
        (CodeIsRegistered("X"), 409, "code_is_registered", {}),
        (
            ForeignCounters("3201", None),
            403,
            "counters_out_of_scope",
            {"unit_code": "3201", "counter_id": None},
        ),
        (
            ForeignRange("K", "320100", "3201"),
            403,
            "code_range_foreign",
            {"division": "320100", "unit_code": "3201"},
        ),
        (EndsBeforeStart(DAY), 422, "ends_before_start", {"valid_from": "2026-03-09"}),
        (UnknownMapping(7), 404, "unknown_mapping", {}),
        (MappingEnded(DAY), 409, "mapping_already_ended", {"valid_to": "2026-03-09"}),
        (SameCustomer(), 422, "same_customer", {}),
        (AgreementsClash(("A", "B")), 409, "agreements_clash", {"agreement_nos": ["A", "B"]}),
        (AlreadyProposed(7), 409, "merge_already_proposed", {"merge_id": 7}),
        (UnknownMerge(7), 404, "unknown_merge", {}),
        (AlreadyDecided("merged"), 409, "merge_already_decided", {"state": "merged"}),
        (AlreadyDecided("refused"), 409, "merge_already_decided", {"state": "refused"}),
        (AlreadyDecided("withdrawn"), 409, "merge_already_decided", {"state": "withdrawn"}),
        (OwnRequest(), 403, "own_request", {}),
        (AlreadySigned(), 409, "already_signed", {}),
        (SameOffice("business"), 403, "same_office", {"office": "business"}),
        (NotOnStaff(), 403, "office_unknown", {}),
        (ImportConflict(), 409, "import_conflict", {}),
        (DuplicateRows(), 422, "duplicate_rows", {}),
        (UnknownImport(), 404, "unknown_import", {}),
    ],
)
def test_a_refusal_has_its_status_code_and_members_and_says_itself_in_both_languages(
    refusal: Refusal, status: int, code: str, members: dict[str, Any]
) -> None:
    problem = Problem(refusal)
    assert (problem.status, problem.code, problem.members) == (status, code, members)
    for sentence in (problem.detail("zh-CN"), problem.detail("en")):
        assert sentence and "{" not in sentence


def meaning(customer: str | None, valid_from: date | None = None, valid_to: date | None = None) -> Meaning:
    name = None if customer is None else "甲公司"
    return Meaning(customer, name, "3201", "南京市", "Nanjing", valid_from, valid_to)


@pytest.mark.req("REG-10")
def test_what_a_code_means_already_is_told_with_its_days() -> None:
    problem = Problem(MappedElsewhere("K", (meaning("3201000000011", DAY),)))
    assert problem.members["mappings"] == [
        {
            "customer_code": "3201000000011",
            "name": "甲公司",
            "unit_code": "3201",
            "unit_name_zh": "南京市",
            "unit_name_en": "Nanjing",
            "valid_from": "2026-03-09",
            "valid_to": None,
        }
    ]
    assert "3201000000011（2026-03-09 至 长期）" in problem.detail("zh-CN")
    assert "3201000000011 (2026-03-09 to for good)" in problem.detail("en")
    always = Problem(MappedElsewhere("K", (meaning("3201000000011", None, DAY),)))
    assert "(always to 2026-03-09)" in always.detail("en")


@pytest.mark.req("PLT-13")
def test_of_a_customer_whom_one_may_not_see_the_sentence_names_the_unit_in_its_language() -> None:
    hidden = Problem(MappedElsewhere("K", (meaning(None),)))
    assert "南京市的客户" in hidden.detail("zh-CN")
    assert "a customer of Nanjing" in hidden.detail("en")
    several = Problem(MappedElsewhere("K", (meaning("3201000000011"), meaning(None))))
    assert "3201000000011、南京市" in several.detail("zh-CN")
    assert "3201000000011, Nanjing" in several.detail("en")
