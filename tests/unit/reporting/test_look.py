"""The look: contrasts of WCAG 2.2 AA hold for the tokens of both colour schemes, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re

import pytest

from services.reporting.entrypoints.console.static_files import FOLDER

pytestmark = pytest.mark.req("REP-16")

STYLE = (FOLDER / "console.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([a-z0-9-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLE
    )
}
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent") for ground in ("ground", "surface", "side")),
    ("ink", "surface-2"), ("ink-2", "surface-2"), ("ink-3", "surface-2"), ("accent", "surface-2"),
    ("accent-strong", "accent-soft"), ("on-accent", "accent"), ("on-accent", "accent-strong"),
    *((tone, f"{tone}-soft") for tone in ("good", "warn", "bad", "info", "mute")),
    *(("ink", f"{tone}-soft") for tone in ("good", "warn", "bad", "info")),
    *(("ink-2", f"{tone}-soft") for tone in ("good", "warn", "bad", "info")),
    *((tone, "surface") for tone in ("good", "warn", "bad", "info")), ("bad", "ground"), ("warn", "ground"),
    *((f"tier-{rank}", ground) for rank in range(4) for ground in ("surface", "surface-2")),
]  # fmt: skip
SHAPES = [
    ("line-strong", "surface"),
    ("accent", "ground"),
    *((f"series-{n}", "surface") for n in range(1, 9) if n != 2),
]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground_by_at_least_4_5_to_1(scheme: int) -> None:
    found = {(ink, ground): contrast(TOKENS[ink][scheme], TOKENS[ground][scheme]) for ink, ground in TEXT}
    assert not {pair: round(value, 2) for pair, value in found.items() if value < 4.5}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_borders_of_fields_and_parts_of_pictures_stand_out_by_at_least_3_to_1(scheme: int) -> None:
    found = {
        (shape, ground): contrast(TOKENS[shape][scheme], TOKENS[ground][scheme]) for shape, ground in SHAPES
    }
    assert not {pair: round(value, 2) for pair, value in found.items() if value < 3}


def test_contrast_is_measured_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_rules_use_tokens_and_every_token_used_exists() -> None:
    defined = set(re.findall(r"--([a-z0-9-]+):", STYLE))
    assert set(re.findall(r"var\(--([a-z0-9-]+)\)", STYLE)) <= defined
    assert "url(" not in STYLE and "@import" not in STYLE


def test_motion_is_only_for_those_who_want_it_and_print_and_forced_colours_are_thought_of() -> None:
    outside = STYLE.split("@media (prefers-reduced-motion: no-preference)")[0]
    assert "animation" not in outside and "transition" not in outside
    assert "@media print" in STYLE and "forced-colors: active" in STYLE and ":focus-visible" in STYLE
