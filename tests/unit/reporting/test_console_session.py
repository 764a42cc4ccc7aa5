"""Signing in, staying signed in, and how pages look: nothing but the token proves who somebody is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.entrypoints.console.visitor import TOKEN_COOKIE, local_path
from shared.auth.development import mint
from tests.support.console import Bench


class Yesterday:
    def now(self) -> datetime:
        return datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.req("PLT-12")
async def test_a_token_that_holds_opens_the_page_that_was_asked_for(bench: Bench) -> None:
    async with bench.browser(None) as browser:
        asked = await browser.get("/customers?q=%E8%8B%8F")
        assert asked.headers["location"] == "/sign-in?next=%2Fcustomers%3Fq%3D%25E8%258B%258F"
        form = await browser.get(asked.headers["location"])
        assert "keypost token --user" in form.text and 'value="/customers?q=%E8%8B%8F"' in form.text
        token = mint(bench.secrets, "centre")
        answer = await browser.post(
            "/sign-in", data={"token": f" {token} ", "next": "/customers?q=%E8%8B%8F"}
        )
        assert answer.status_code == 303 and answer.headers["location"] == "/customers?q=%E8%8B%8F"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
        assert (await browser.get("/customers")).status_code == 200
        assert (await browser.post("/sign-out")).headers["location"] == "/sign-in"
        assert (await browser.get("/customers")).status_code == 303


@pytest.mark.req("PLT-12")
async def test_a_token_that_does_not_hold_is_refused_with_a_sentence(bench: Bench) -> None:
    async with bench.browser(None, "zh") as browser:
        for token, said in (("nonsense", "令牌无效或已过期"), ("x" * 5000, "令牌过长")):
            answer = await browser.post("/sign-in", data={"token": token})
            assert answer.status_code == 401 and said in answer.text and "set-cookie" not in answer.headers


@pytest.mark.req("PLT-12")
async def test_an_expired_session_leads_to_the_sign_in_page_and_a_fragment_takes_the_whole_page_there(
    bench: Bench,
) -> None:
    old = mint(bench.secrets, "centre", clock=Yesterday())
    async with bench.browser(None) as browser:
        browser.cookies[TOKEN_COOKIE] = old
        page = await browser.get("/customers")
        assert page.headers["location"] == "/sign-in?next=%2Fcustomers&refused=expired"
        assert "no longer signed in" in (await browser.get(page.headers["location"])).text
        fragment = await browser.get("/customers", headers={"hx-request": "true"})
        assert fragment.status_code == 401 and fragment.headers["hx-redirect"].startswith("/sign-in?")


@pytest.mark.req("PLT-14")
async def test_nobody_is_signed_in_or_out_by_another_site(bench: Bench) -> None:
    async with bench.browser("centre") as browser:
        data = {"token": mint(bench.secrets, "operator")}
        for path in ("/sign-in", "/sign-out", "/display"):
            answer = await browser.post(path, data=data, headers={"origin": "http://evil.example"})
            assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.req("REP-16")
async def test_the_language_asked_for_in_the_address_is_kept_and_the_choice_of_colours_too(
    bench: Bench,
) -> None:
    async with bench.browser("centre", "zh") as browser:
        assert '<html lang="en"' in (await browser.get("/customers?lang=en")).text
        browser.cookies.delete("keypost_language", domain="")
        assert '<html lang="en"' in (await browser.get("/customers")).text
        await browser.post("/display", data={"language": "zh", "theme": "dark", "next": "/customers"})
        page = (await browser.get("/customers")).text
        assert '<html lang="zh-CN" data-theme="dark">' in page


@pytest.mark.req("PLT-14")
async def test_every_page_comes_with_a_policy_that_lets_nothing_foreign_in(bench: Bench) -> None:
    async with bench.browser("centre") as browser:
        for path in ("/customers", "/sign-in", "/customers/none"):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert (
                "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
            )
            assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"


@pytest.mark.req("PLT-12")
def test_only_instances_for_development_say_who_there_is(tmp_path: Path) -> None:
    from services.reporting.entrypoints.console.sign_in import _people

    assert {person.user for person in _people("development")} >= {"operator", "centre"}
    assert _people("production") == ()


@pytest.mark.req("PLT-14")
@pytest.mark.parametrize(
    "asked",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "", "evil", "/a\nb"],
)
def test_after_signing_in_nobody_is_led_to_another_site(asked: str) -> None:
    assert local_path(asked) == "/"


@pytest.mark.req("PLT-14")
@given(st.text(max_size=20))
def test_whatever_is_asked_for_the_way_on_lies_inside(asked: str) -> None:
    found = local_path(asked)
    assert found.startswith("/") and not found.startswith(("//", "/\\"))
