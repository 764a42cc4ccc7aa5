"""A real browser before the console: Chromium by Playwright, with what every page is held to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from deploy.embedded.packages import chromium

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "target" / "console"
"""Pictures of the pages, for people to look at; not kept in the repository."""

DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}

EXPECTED = re.compile(r"the server responded with a status of (4\d\d|503)")
"""A refused form is an answer with its status, which Chromium notes as an error of loading."""

PROBLEMS = (Path(__file__).parent / "page_problems.js").read_text()


@dataclass
class Person:
    """Somebody with a browser of their own, signed in."""

    context: BrowserContext
    page: Page
    base: str
    said: list[str] = field(default_factory=list)

    def hear(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.said.append(f"script: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not EXPECTED.search(message.text):
            self.said.append(f"{message.type}: {message.text}")

    def open(self, path: str) -> int:
        answer = self.page.goto(self.base + path)
        assert answer is not None
        return answer.status

    def shown(self) -> list[str]:
        """What was said at the top of the page."""
        return [" ".join(text.split()) for text in self.page.locator("main > .notice").all_inner_texts()]

    def look(self, name: str) -> list[str]:
        """A picture, and whatever is wrong with the page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
        found: list[str] = self.page.evaluate(PROBLEMS)
        return [f"{name}: {problem}" for problem in found]

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.locator(f"main [name={name}]:visible").first.fill(value)

    def press(self, text: str) -> None:
        """The button with these words, and the page after it."""
        with self.page.expect_navigation():
            self.page.locator(f"main button:visible:has-text('{text}')").last.click()


@dataclass
class Browsers:
    """Chromium, and a fresh profile for everybody."""

    browser: Browser
    base: str

    @contextmanager
    def person(
        self, token: str | None, language: str = "zh", *, phone: bool = False, **options: Any
    ) -> Iterator[Person]:
        context = self.browser.new_context(
            viewport=PHONE if phone else DESKTOP,
            locale="en-US" if language == "en" else "zh-CN",
            timezone_id="Asia/Shanghai",
            **options,
        )
        context.set_default_timeout(30_000)
        cookies = [{"name": "keypost_language", "value": language, "url": self.base}]
        if token is not None:
            cookies.append({"name": "keypost_token", "value": token, "url": self.base})
        context.add_cookies(cookies)  # type: ignore[arg-type]
        person = Person(context, context.new_page(), self.base)
        person.hear()
        try:
            yield person
        finally:
            context.close()


@contextmanager
def browsing(base: str) -> Iterator[Browsers]:
    """Chromium on the pages under an address."""
    path = chromium()
    assert path is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
            ],
        )
        try:
            yield Browsers(browser, base)
        finally:
            browser.close()
