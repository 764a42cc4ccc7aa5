"""Pages that speak of the code speak of what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.test_rules import ROOT

PLACE = re.compile(r"`((?:[\w-]+/)+[\w-]+\.py):([\w.]+)`")
PATH = re.compile(r"`((?:services|shared|cli|deploy|verifier|tests|bench|docs|requirements)/[\w./-]+\.\w+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
PAGES = [
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("services/*/README.md"))
    if path.name != "speed.md"
]


def names_of(path: Path) -> set[str]:
    """What a module names: functions, classes, their methods as `Class.method`, and what is assigned."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = (ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, inside)}
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_every_place_that_contributing_names_is_there() -> None:
    places = PLACE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(places) >= 15
    gone = [
        f"{path}:{name}"
        for path, name in places
        if not (ROOT / path).is_file() or name not in names_of(ROOT / path)
    ]
    assert gone == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_or_links_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    gone = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    gone += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert gone == []


def test_the_model_and_the_page_have_the_same_readings() -> None:
    page = (ROOT / "docs" / "readings.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", page, re.MULTILINE)]
    model = (ROOT / "tests" / "support" / "model.py").read_text(encoding="utf-8")
    assert numbers == list(range(1, len(numbers) + 1)), "in order, none left out"
    comments = "\n".join(line.partition("#")[2] for line in model.splitlines())
    assert {int(number) for number in re.findall(r"Reading (\d+)", comments)} == set(numbers)
