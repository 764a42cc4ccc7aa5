"""The rules of the house that no linter knows by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "shared", "cli", "deploy", "verifier")
SERVICES = ("registry", "tiering", "claims", "reporting")


def sources(*parts: str) -> list[Path]:
    return sorted(path for part in parts for path in (ROOT / part).rglob("*.py"))


@pytest.mark.req("PLT-3")
def test_imports_keep_the_layers_and_services_are_strangers() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_domain_imports_only_the_standard_library_itself_and_the_kernel() -> None:
    for path in sources(*(f"services/{service}/domain" for service in SERVICES)):
        service = path.relative_to(ROOT).parts[1]
        for name in imported(path):
            top = name.split(".")[0]
            own = name.startswith((f"services.{service}.domain", "shared.kernel"))
            assert own or top in sys.stdlib_module_names, f"{path.relative_to(ROOT)} imports {name}"


def test_the_kernel_imports_only_the_standard_library_and_itself() -> None:
    for path in sources("shared/kernel"):
        for name in imported(path):
            known = name.startswith("shared.kernel") or name.split(".")[0] in sys.stdlib_module_names
            assert known, f"{path.relative_to(ROOT)} imports {name}"


def test_no_module_imports_itself_by_way_of_others_not_even_late() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sources(*PACKAGES)
    }
    graph = {name: our_imports(path, modules.keys()) - {name} for name, path in modules.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_a_domain_neither_waits_nor_reads_a_clock() -> None:
    for path in sources(*(f"services/{service}/domain" for service in SERVICES), "shared/kernel"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                asked = node.func.attr in ("now", "today", "utcnow")
                assert not asked, f"{path}:{node.lineno} asks for the time"


def test_only_the_unit_of_work_commits() -> None:
    allowed = {"shared/messaging/unit_of_work.py", "shared/migrating.py"}
    for path in sources("services", "shared"):
        if "migrations" in path.parts or str(path.relative_to(ROOT)) in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "commit"
            ):
                pytest.fail(f"{path.relative_to(ROOT)}:{node.lineno} commits")


def test_every_folder_of_code_is_a_package() -> None:
    for path in sources(*PACKAGES, "tests"):
        if path.parent.name == "versions":
            continue
        assert (path.parent / "__init__.py").exists(), path.parent.relative_to(ROOT)


def test_every_service_has_the_same_anatomy() -> None:
    for service in SERVICES:
        folder = ROOT / "services" / service
        for part in (
            "README.md",
            "main.py",
            "__main__.py",
            "requirements.in",
            "adapters",
            "entrypoints",
            "migrations",
        ):
            assert (folder / part).exists(), f"services/{service} has no {part}"


def test_lock_files_name_no_index_and_pin_everything_with_hashes() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text, lock.name
        assert "index-url" not in text, lock.name
        for line in text.splitlines():
            if line and line[0].isalnum():
                assert "==" in line, line
                assert line.rstrip().endswith("\\"), f"{line} has no hash"


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def our_imports(path: Path, modules: Collection[str]) -> set[str]:
    """The modules of ours that a file imports; `from package import module` means the module alone."""
    found = imported(path) & set(modules)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= below & set(modules)
            if below <= set(modules):
                found.discard(node.module)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_of_a_service_are_one_chain_in_the_order_of_their_names(service: str) -> None:
    before = None
    for path in sorted((ROOT / "services" / service / "migrations" / "versions").glob("*.py")):
        named = {
            target.id: node.value.value
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        assert named["revision"] == path.name[:4], path.name
        assert named["down_revision"] == before, path.name
        before = named["revision"]
