"""Schemes are data, checked when they are read (TIE-6)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from services.tiering.adapters.scheme_files import FOLDER, SchemeFileError, load_schemes
from services.tiering.domain.scheme import half_up

pytestmark = pytest.mark.req("TIE-6")

CITY, LETTERS = load_schemes()


def test_the_shipped_schemes_are_those_of_the_rule_books() -> None:
    city = CITY.on(date(2026, 1, 1))
    letters = LETTERS.on(date(2026, 1, 1))
    assert city is not None and letters is not None
    assert [(one.code, one.yearly_fen) for one in city.levels] == [
        ("ordinary", 1_000_000), ("silver", 5_000_000), ("gold", 20_000_000), ("diamond", 100_000_000),
    ]  # fmt: skip
    assert [(one.code, one.yearly_fen) for one in letters.levels] == [
        ("vip", 1_000_000), ("gold", 20_000_000), ("platinum", 200_000_000), ("diamond", 500_000_000),
    ]  # fmt: skip
    assert len(city.lines) == 8
    assert letters.lines == (0,)
    assert city.needs_agreement and letters.needs_agreement


@pytest.mark.parametrize(
    ("group", "vip_fen"), [(None, 1_000_000), (1, 1_000_000), (2, 900_000), (3, 800_000), (7, 1_000_000)]
)
def test_the_vip_threshold_follows_the_city_group_and_no_other_threshold_does(
    group: int | None, vip_fen: int
) -> None:
    version = LETTERS.versions[0]
    assert version.thresholds(group) == (vip_fen, 20_000_000, 200_000_000, 500_000_000)
    assert CITY.versions[0].thresholds(group)[0] == 1_000_000


@pytest.mark.parametrize(
    ("total_fen", "tier"),
    [
        (-5, 0),
        (0, 0),
        (999_999, 0),
        (1_000_000, 1),
        (4_999_999, 1),
        (5_000_000, 2),
        (20_000_000, 3),
        (10**12, 4),
    ],
)
def test_a_total_reaches_a_level_at_its_threshold_and_not_a_fen_below(total_fen: int, tier: int) -> None:
    assert CITY.versions[0].tier_for(total_fen, None) == tier


@pytest.mark.parametrize(
    ("amount_fen", "basis_points", "result"),
    [(5, 5000, 3), (4, 5000, 2), (1, 5000, 1), (3, 3333, 1), (1, 4999, 0)],
)
@pytest.mark.req("TIE-24")
def test_coefficients_round_half_up_to_the_fen(amount_fen: int, basis_points: int, result: int) -> None:
    assert half_up(amount_fen, basis_points) == result


def test_a_version_holds_from_its_date_for_business_dates() -> None:
    first = CITY.versions[0]
    later = type(first)(**{**_fields(first), "version": 2, "effective_on": date(2027, 7, 1)})
    scheme = type(CITY)(CITY.code, CITY.name_zh, CITY.name_en, (first, later))
    assert scheme.on(date(2027, 6, 30)) is first
    assert scheme.on(date(2027, 7, 1)) is later


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('yearly: "50000"', 'yearly: "10000"', "thresholds must rise"),
        ('yearly: "50000"', "yearly: 50000", "city-default.yaml"),
        ('yearly: "10000"', 'yearly: "0"', "above zero"),
        ("needs_agreement: true", "needs_agreement: true\n    colour: red", "Extra inputs"),
        ("philately]", "stamps]", "stamps"),
        ("scheme: city-default", "scheme: [", "city-default.yaml"),
    ],
)
def test_a_scheme_that_breaks_a_rule_is_refused_with_its_file_and_rule(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = (FOLDER / "city-default.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "city-default.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SchemeFileError, match=words):
        load_schemes(tmp_path)


def test_a_folder_without_schemes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemeFileError, match="holds no scheme"):
        load_schemes(tmp_path)


def _fields(version: object) -> dict[str, object]:
    names = (
        "scheme", "version", "effective_on", "lines", "needs_agreement", "levels", "city_group_basis_points",
        "granted_to_upstream",
    )  # fmt: skip
    return {name: getattr(version, name) for name in names}
