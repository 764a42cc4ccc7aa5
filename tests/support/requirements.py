"""What is asked, what of it stands, and which tests prove it: `make requirements` writes docs/requirements.md.

The parts of each requirement stand in docs/requirements.yaml; the tests say with `@pytest.mark.req("TIE-7")` what they
prove. Both are read from their source, so that nothing has to be collected or started. What does not fit together is a
list of sentences (`faults`), which a test of the rules of the house keeps empty.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
CATALOGUE = ROOT / "docs" / "requirements.yaml"
PAGE = ROOT / "docs" / "requirements.md"

WHOLE, PART, NOTHING = "●", "◐", "○"
AREAS = {"REG": "Registry", "TIE": "Tiering", "CLM": "Claims", "REP": "Reporting", "PLT": "Platform"}
HEADINGS = {"title", "proved", "untested", "missing"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """`proved` gives the tests of each part, as files or `file::test` below tests/."""

    id: str
    title: str
    proved: Mapping[str, tuple[str, ...]]
    untested: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def state(self) -> str:
        if not self.proved and not self.untested:
            return NOTHING
        return PART if self.untested or self.missing else WHOLE


Marks = Mapping[str, tuple[str, ...]]
"""Each test as `file::test` below tests/, with the requirements that it is marked with, repetitions included."""


def read(source: str) -> dict[str, Requirement]:
    """The catalogue; a heading or a shape that it does not know is a ValueError."""
    found = {}
    for id, parts in yaml.safe_load(source).items():
        if unknown := parts.keys() - HEADINGS:
            raise ValueError(f"{id}: {sorted(unknown)} is no heading; there are {sorted(HEADINGS)}")
        proved = {str(part): tuple(tests) for part, tests in parts.get("proved", {}).items()}
        untested, missing = (tuple(map(str, parts.get(name, ()))) for name in ("untested", "missing"))
        if not (proved or untested or missing):
            raise ValueError(f"{id} has no parts")
        found[id] = Requirement(id, parts["title"], proved, untested, missing)
    return found


def catalogue() -> dict[str, Requirement]:
    return read(CATALOGUE.read_text(encoding="utf-8"))


@cache
def marks() -> Marks:
    """The markers of every test, whether they stand at it, at its class or at its file."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        of_file = [
            id
            for node in tree.body
            if isinstance(node, ast.Assign) and _is_mark(node)
            for id in _named(node.value)
        ]
        for name, of_test in _tests(tree.body, of_file):
            found[f"{path.relative_to(TESTS).as_posix()}::{name}"] = tuple(of_test)
    return found


def _is_mark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def _tests(body: Iterable[ast.stmt], above: list[str]) -> Iterator[tuple[str, list[str]]]:
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        here = above + [id for decorator in node.decorator_list for id in _named(decorator)]
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, here)
        elif node.name.startswith("test_"):
            yield node.name, here


def _named(node: ast.AST) -> list[str]:
    """The ids in every `req(…)` of an expression."""
    return [
        ast.literal_eval(argument)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "req"
        for argument in call.args
    ]


def proving(named: str, id: str, marked: Marks) -> list[str]:
    """The tests meant by a file or a `file::test` that carry the requirement's marker."""
    return [test for test, ids in marked.items() if id in ids and named in (test, test.partition("::")[0])]


def faults(requirements: Mapping[str, Requirement], marked: Marks) -> list[str]:
    """What the catalogue and the markers say of each other and is not so, a sentence each."""
    found = []
    for test, ids in marked.items():
        for id, times in Counter(ids).items():
            if id not in requirements:
                found.append(f"{test} is marked with {id}, which is no requirement")
            elif not requirements[id].proved:
                found.append(
                    f"{test} is marked with {id}, of which docs/requirements.yaml calls no part proved"
                )
            if times > 1:
                found.append(f"{test} is marked with {id} twice")
    for id, requirement in requirements.items():
        for part, tests in requirement.proved.items():
            if not tests:
                found.append(f"{id}, {part}: no test is named")
            found += [
                f"{id}, {part}: {named} is no test with the marker {id}"
                for named in tests
                if not proving(named, id, marked)
            ]
    return found


def page(requirements: Mapping[str, Requirement]) -> str:
    """docs/requirements.md: the states of all, what is missing in a line, and the tests of each proved part."""
    areas: dict[str, list[Requirement]] = defaultdict(list)
    for requirement in requirements.values():
        areas[AREAS[requirement.id.partition("-")[0]]].append(requirement)
    lines = [
        "# What is asked, and what stands",
        "",
        "Made by `make requirements` from [requirements.yaml](requirements.yaml) and the markers of the tests; edit those.",
        f"{WHOLE} every part is there and proved by a test · {PART} some parts · {NOTHING} nothing yet. “No test” is what",
        "is there without one. Tests are named below `tests/`; what a test is marked with, it proves a part of.",
        "",
        f"| | {WHOLE} | {PART} | {NOTHING} | all |",
        "| --- | --- | --- | --- | --- |",
        *(_counts(area, ones) for area, ones in areas.items()),
        _counts("**all**", list(requirements.values())),
    ]
    for area, ones in areas.items():
        lines += ["", f"## {area}", "| | | | what is missing |", "| --- | --- | --- | --- |"]
        lines += [f"| {one.id} | {one.title} | {one.state} | {_missing(one)} |" for one in ones]
        if any(one.proved for one in ones):
            lines += ["", "Proved by:", ""]
        lines += [
            f"- **{one.id}** {part}: {', '.join(f'`{test}`' for test in tests)}"
            for one in ones
            for part, tests in one.proved.items()
        ]
    return "\n".join(lines) + "\n"


def _counts(name: str, ones: list[Requirement]) -> str:
    states = Counter(one.state for one in ones)
    return f"| {name} | {states[WHOLE]} | {states[PART]} | {states[NOTHING]} | {len(ones)} |"


def _missing(requirement: Requirement) -> str:
    said = list(requirement.missing)
    if requirement.untested:
        said.append(f"no test: {', '.join(requirement.untested)}")
    return "; ".join(said) or "–"


def main() -> None:
    requirements = catalogue()
    if wrong := faults(requirements, marks()):
        raise SystemExit("\n".join(wrong))
    PAGE.write_text(page(requirements), encoding="utf-8")
    whole = Counter(requirement.state for requirement in requirements.values())
    print(f"{PAGE.relative_to(ROOT)}: {len(requirements)} requirements, {dict(whole)}")


if __name__ == "__main__":
    main()
