"""docs/requirements.yaml, docs/requirements.md and the markers of the tests say the same."""

from __future__ import annotations

import pytest

from tests.support.requirements import PAGE, catalogue, faults, marks, page, proving, read

MARKED = {"unit/test_a.py::test_one": ("TIE-7",), "unit/test_a.py::test_two": ()}


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(catalogue()), "run `make requirements`"


def test_every_marker_names_a_requirement_and_every_proved_part_a_marked_test() -> None:
    assert faults(catalogue(), marks()) == []


def test_markers_are_found_at_a_test_and_at_its_file() -> None:
    found = marks()
    here = "architecture/test_rules.py::test_imports_keep_the_layers_and_services_are_strangers"
    assert found[here] == ("PLT-3",)
    assert "REP-16" in found["unit/reporting/test_look.py::test_contrast_is_measured_as_wcag_says"]
    assert len(found) > 900


def test_the_state_of_a_requirement_follows_from_its_parts() -> None:
    states = {
        id: one.state
        for id, one in read("""
            A-1: {title: t, proved: {p: [x]}}
            A-2: {title: t, proved: {p: [x]}, missing: [y]}
            A-3: {title: t, proved: {p: [x]}, untested: [y]}
            A-4: {title: t, untested: [y]}
            A-5: {title: t, missing: [y]}
        """).items()
    }
    assert states == {"A-1": "●", "A-2": "◐", "A-3": "◐", "A-4": "◐", "A-5": "○"}


@pytest.mark.parametrize("wrong", ["A-1: {title: t, prooved: {p: [x]}}", "A-1: {title: t}"])
def test_a_catalogue_with_an_unknown_heading_or_without_parts_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="A-1"):
        read(wrong)


def test_a_file_stands_for_its_marked_tests_only() -> None:
    assert proving("unit/test_a.py", "TIE-7", MARKED) == ["unit/test_a.py::test_one"]
    assert proving("unit/test_a.py::test_two", "TIE-7", MARKED) == []


@pytest.mark.parametrize(
    ("catalogue", "marks", "fault"),
    [
        (
            "TIE-8: {title: t, missing: [p]}",
            {"f::t": ("TIE-7",)},
            "f::t is marked with TIE-7, which is no requirement",
        ),
        (
            "TIE-7: {title: t, missing: [p]}",
            {"f::t": ("TIE-7",)},
            "f::t is marked with TIE-7, of which docs/requirements.yaml calls no part proved",
        ),
        (
            "TIE-7: {title: t, proved: {p: [f]}}",
            {"f::t": ("TIE-7", "TIE-7")},
            "f::t is marked with TIE-7 twice",
        ),
        ("TIE-7: {title: t, proved: {p: [f]}}", {"f::t": ()}, "TIE-7, p: f is no test with the marker TIE-7"),
        ("TIE-7: {title: t, proved: {p: []}}", {"f::t": ("TIE-7",)}, "TIE-7, p: no test is named"),
    ],
)
def test_what_does_not_fit_together_is_told(
    catalogue: str, marks: dict[str, tuple[str, ...]], fault: str
) -> None:
    assert faults(read(catalogue), marks) == [fault]
