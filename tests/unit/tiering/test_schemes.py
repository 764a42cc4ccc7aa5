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


REFUSED = [
    ('yearly: "50000"', 'yearly: "10000"', "thresholds must rise"),
    ('yearly: "50000"', "yearly: 50000", "versions.0.levels.1.yearly：不符合要求"),
    (
        'yearly: "50000"',
        'yearly: "much"',
        'versions.0.levels.1.yearly：应为金额字符串，如 "50000" / must be an amount',
    ),
    ('yearly: "10000"', 'yearly: "0"', "above zero"),
    (
        "needs_agreement: true",
        "needs_agreement: true\n    colour: red",
        "versions.0.colour：未知的键 / unknown key",
    ),
    ("needs_agreement: true", "needs_agreement: 1", "versions.0.needs_agreement"),
    ("needs_agreement: true", "", "versions.0.needs_agreement：缺少此键 / is missing"),
    ("needs_agreement: true", "needs_agreement: true\n    needs_agreement: false", "stands twice"),
    (
        "needs_agreement: true",
        "needs_agreement: true\n    units: [3205]",
        "versions.0.units：尚不支持按机构适用",
    ),
    ("scheme: city-default", "scheme: city-default\nunits: [3205]", "a scheme covers all units"),
    (
        "evaluated: continuously",
        "evaluated: quarterly",
        "versions.0.evaluated：尚不支持按季度评定.* / quarters are not",
    ),
    (
        "evaluated: continuously",
        "evaluated: never",
        "versions.0.evaluated：只可为 continuously / allowed: continuously",
    ),
    ("role: centre", "role: steward", "signed_by.role：只可为 centre, province, national / allowed: centre"),
    ("effective_on: null", "effective_on: 0206-01-01", "versions.0.effective_on"),
    ("city_group_basis_points: {}", "city_group_basis_points: {4: 5000}", "city_group_basis_points"),
    ("city_group_basis_points: {}", "city_group_basis_points: {2: 5000}", "goes together with a level"),
    (
        "granted_to_upstream: null",
        "granted_to_upstream: platinum",
        "allowed: null or ordinary, silver, gold, diamond",
    ),
    ("code: silver", "code: gold", "levels.code：须各不相同"),
    ("code: silver", "code: none", "levels.code：须各不相同"),
    ("philately]", "stamps]", "versions.0.lines.7：只可为 letters"),
    ("philately]", "letters]", "a line is named twice"),
    ("scheme: city-default", "scheme: [", "不是有效的 YAML"),
]


@pytest.mark.parametrize(("old", "new", "words"), REFUSED, ids=[new for _, new, _ in REFUSED])
def test_a_scheme_that_breaks_a_rule_is_refused_with_its_file_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = (FOLDER / "city-default.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "city-default.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SchemeFileError, match=words) as refused:
        load_schemes(tmp_path)
    assert all(
        line.startswith("city-default.yaml：") for line in str(refused.value).splitlines() if "：" in line
    )


def test_a_second_version_is_refused_until_a_change_is_carried_out(tmp_path: Path) -> None:
    text = (FOLDER / "city-default.yaml").read_text(encoding="utf-8")
    head, version = text.split("versions:\n")
    second = version.replace("version: 1", "version: 2").replace(
        "effective_on: null", "effective_on: 2027-01-01"
    )
    (tmp_path / "city-default.yaml").write_text(f"{head}versions:\n{version}{second}", encoding="utf-8")
    with pytest.raises(SchemeFileError, match="versions：尚不支持标准换版"):
        load_schemes(tmp_path)


def test_two_files_of_one_scheme_are_refused(tmp_path: Path) -> None:
    text = (FOLDER / "city-default.yaml").read_text(encoding="utf-8")
    for name in ("one", "other"):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SchemeFileError, match=r"other\.yaml：scheme"):
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
