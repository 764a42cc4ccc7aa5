"""Static files: kept by browsers for ever under the hash of their content, and exactly those that were taken over."""

from __future__ import annotations

import gzip
import hashlib
import re

import pytest

from services.reporting.entrypoints.console.static_files import FOLDER, StaticFiles
from tests.support.console import Bench

VENDORED = {
    "vendor/echarts/echarts.min.js": "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0",
    "vendor/htmx/htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
}


async def test_a_file_is_kept_for_ever_under_its_hash_and_never_under_another(bench: Bench) -> None:
    url = StaticFiles.shipped().url("console.css")
    async with bench.browser(None) as browser:
        found = await browser.get(url)
        assert found.status_code == 200 and found.headers["content-type"].startswith("text/css")
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (
            found.headers["content-encoding"] == "gzip" and found.text == (FOLDER / "console.css").read_text()
        )
        plain = await browser.get(url, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers and plain.content == found.content
        digest = url.split("/")[2]
        old = await browser.get(url.replace(digest, "0" * 12))
        assert old.status_code == 200 and old.headers["cache-control"] == "no-cache"
        for name in ("none.css", "vendor/NOTICE.md", "%2e%2e/settings.py"):
            assert (await browser.get(f"/static/{digest}/{name}")).status_code == 404, name


def test_the_vendored_scripts_are_those_of_the_notice_with_their_licences() -> None:
    scripts = {path.relative_to(FOLDER).as_posix() for path in (FOLDER / "vendor").rglob("*.js")}
    assert scripts == set(VENDORED)
    notice = (FOLDER / "vendor" / "NOTICE.md").read_text()
    for name, digest in VENDORED.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
        folder = (FOLDER / name).parent
        assert (folder / "LICENSE").read_text() and f"`{folder.name}`" in notice
    assert (FOLDER / "vendor" / "echarts" / "NOTICE").exists()


@pytest.mark.req("REP-16")
def test_our_own_scripts_and_styles_load_nothing_from_elsewhere_and_evaluate_nothing() -> None:
    for name in ("console.css", "console.js", "charts.js"):
        source = (FOLDER / name).read_text()
        assert not re.search(r"https?://|\beval\(|new Function|innerHTML", source), name


def test_what_every_page_loads_is_small() -> None:
    always = sum(
        len(gzip.compress((FOLDER / name).read_bytes()))
        for name in ("console.css", "console.js", "vendor/htmx/htmx.min.js")
    )
    assert always < 40_000
