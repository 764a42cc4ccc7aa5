"""Every text of the console exists in both languages, and every template uses only texts that exist."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from services.reporting.adapters.reads.alerts import OF_CASES, OF_PLANS
from services.reporting.entrypoints.console.page import TEMPLATES, environment
from services.reporting.entrypoints.console.rooms import ROOMS
from services.reporting.entrypoints.console.static_files import FOLDER
from shared.auth.principals import ROLES
from shared.contracts.claims_v1 import ClaimsHappening, PlanKind, PlanPhase, Stage
from shared.contracts.counter_v1 import Line
from shared.contracts.registry_v1 import DeclarationPhase, Happening, RegistryAlert
from shared.contracts.tiering_v1 import ChangeReason, Direction, HeldReason, RejectedReason
from shared.texts import say, word
from shared.texts.catalogue import united
from shared.texts.words import CONSOLE, TERMS

TEXTS = united((TERMS, *CONSOLE))

pytestmark = pytest.mark.req("REP-16")

PYTHON = [path.read_text() for path in (TEMPLATES.parent / "entrypoints" / "console").glob("*.py")]
SOURCES = {path.name: path.read_text() for path in TEMPLATES.glob("*.html")}


def test_templates_use_only_texts_that_exist_and_every_text_is_used() -> None:
    said = {key for source in SOURCES.values() for key in re.findall(r'\bt\("([^"]+)"', source)}
    said |= {key for source in PYTHON for key in re.findall(r'\bsay\(\s*"([^"]+)"', source)}
    assert said <= set(TEXTS), said - set(TEXTS)
    kinds = {
        kind for source in SOURCES.values() for kind in re.findall(r'(?:\bw|_badge)\("([a-z_]+)"', source)
    }
    assert {"line", "plan", "declaration"} <= kinds
    by_code = {
        "advice",
        "alert",
        "contact",
        "windows",
        "month",
        "sign_in",
        "room",
        "status",
        "stage",
        "service",
        "letter_state",
    }
    unused = {key for key in TEXTS if key not in said and key.partition(".")[0] not in kinds | by_code}
    assert not unused


def test_every_template_can_be_read_and_is_shown_by_somebody() -> None:
    for name in SOURCES:
        environment().get_template(name)
    code = "".join(path.read_text() for path in (TEMPLATES.parent / "entrypoints" / "console").glob("*.py"))
    for name in set(SOURCES) - {"base.html", "bare.html", "macros.html", "icons.html"}:
        assert f'"{name}"' in code, name


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("line", get_args(Line)),
        ("happening", (*get_args(Happening), *get_args(ClaimsHappening))),
        ("declaration", get_args(DeclarationPhase)),
        ("plan", get_args(PlanPhase)),
        ("plan_kind", get_args(PlanKind)),
        ("stage", get_args(Stage)),
        ("change", get_args(ChangeReason)),
        ("direction", get_args(Direction)),
        ("alert", (*get_args(RegistryAlert.model_fields["alert"].annotation), *OF_PLANS, *OF_CASES)),
        ("held", get_args(HeldReason)),
        ("held_do", get_args(HeldReason)),
        ("letter", get_args(RejectedReason)),
        ("role", ROLES),
        ("room", [room.name for room in ROOMS]),
        ("tier", ["none", "ordinary", "vip", "silver", "gold", "platinum", "diamond"]),
    ],
)
def test_every_code_of_the_contracts_has_a_name(kind: str, codes: list[str]) -> None:
    assert not [code for code in codes if f"{kind}.{code}" not in TEXTS]


def test_a_code_that_nobody_has_named_is_shown_as_it_is() -> None:
    assert word("tier", "obsidian", "zh-CN") == "obsidian"
    assert say("letters.no", "zh-CN", n=7) == "编号 7"


def test_scripts_say_nothing_of_their_own() -> None:
    for script in ("console.js", "charts.js"):
        source = re.sub(r"/\*.*?\*/", "", (FOLDER / script).read_text(), flags=re.S)
        assert set(re.findall(r"[一-鿿]", source)) <= set("万亿"), script
