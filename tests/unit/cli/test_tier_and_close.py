"""`keypost tier` and `keypost close-period` without an instance: the words, the addresses and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import close_period, command, tier
from cli.language import language
from cli.tier import as_text
from tests.unit.cli.fake_session import body, run, session

TOLD: dict[str, Any] = {
    "asked_code": "L2",
    "customer_code": "L1",
    "unit_code": "3205",
    "status": "active",
    "as_of": "2026-03-10",
    "tiers": [
        {
            "scheme": "city-default", "scheme_version": 1, "tier": "gold", "tier_name": "Gold", "version": 2,
            "since": "2026-03-09", "reason": "merged", "key_account": True,
            "agreement": {"needed": True, "in_force": True, "signed_on": "2026-01-01", "ended_on": None},
            "totals": {"2026": "200000.00"}, "revenue_basis": "all lines",
            "next_level": None, "explanation": ["Gold since 2026-03-09"],
            "evidence": {
                "year": 2026, "total_now": "200000.00", "total_at_close": "190000.00", "booked_since_close": "10000.00",
                "thresholds": {"gold": "200000.00"}, "bookings": 101,
                "changes": [{"version": 1, "effective_on": "2026-03-09", "from_tier": "none", "to_tier": "gold",
                             "reason": "threshold_reached", "period": "2026", "total": "200000.00"}],
                "latest_bookings": [{"business_date": "2026-03-09", "kind": "reversal", "amount": "5.00",
                                     "line": "express", "source": "/c", "id": "7"}],
            },
        },
        {"scheme": "past", "scheme_version": 1, "tier": "none", "tier_name": "no tier", "version": 0, "since": None,
         "reason": None, "change": None},
    ],
}  # fmt: skip


@pytest.mark.req("TIE-14", "TIE-15")
@pytest.mark.parametrize(
    ("tongue", "words"),
    [
        ("en", ["L2 is L1 now.", "since 2026-03-09 (merged)", "key account: yes", "in force, signed on 2026-01-01",
                "190000.00 at its close, 10000.00 booked since", "No tier → Gold", "-5.00", "101 bookings"]),
        ("zh-CN", ["L2 现为 L1。", "自2026-03-09起（客户合并）", "大客户：是", "有效，2026-01-01签订", "达到标准", "速递",
                   "入账101笔"]),
    ],
)  # fmt: skip
def test_a_tier_is_shown_in_the_language_of_the_user(
    tongue: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYPOST_LANGUAGE", tongue)
    text = as_text(TOLD)
    assert [word for word in words if word not in text] == []
    assert "{" not in text


@pytest.mark.req("TIE-14")
def test_a_merged_code_is_said_to_be_one_and_transactions_say_under_which_code_they_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evidence = TOLD["tiers"][0]["evidence"]
    row = {**evidence["latest_bookings"][0], "customer_code": "L2"}
    tiers = [{**TOLD["tiers"][0], "evidence": {**evidence, "latest_bookings": [row]}}]
    told = {**TOLD, "notice": "L2 was merged on 2026-03-09.", "aliases": ["L2"], "tiers": tiers}
    monkeypatch.setenv("KEYPOST_LANGUAGE", "en")
    english = as_text(told)
    monkeypatch.setenv("KEYPOST_LANGUAGE", "zh")
    chinese = as_text(told)
    assert english.splitlines()[0] == "L2 was merged on 2026-03-09."
    assert "L2 is L1 now" not in english
    assert "customers merged into it: L2" in english and "已并入的客户：L2" in chinese
    assert "/c 7 (sent as L2)" in english and "（所报代码 L2）" in chinese


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB.UTF-8", "KEYPOST_LANGUAGE": "zh"}, "zh-CN"),
        ({"KEYPOST_LANGUAGE": "", "LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_is_that_of_keypost_language_or_the_locale(
    environment: dict[str, str], expected: str
) -> None:
    assert language(environment) == expected


@pytest.mark.req("TIE-15")
def test_a_code_with_any_character_is_one_part_of_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json=TOLD)

    monkeypatch.setattr(command, "open_session", lambda *_: session(answer, tmp_path))
    result = run(tier.register, "tier", "老/客户 1?", "--as-of", "2026-03-09", "--explain", "--json")
    assert json.loads(result.stdout) == TOLD
    assert asked[0].raw_path.startswith(b"/v1/customers/%E8%80%81%2F%E5%AE%A2%E6%88%B7%201%3F/tiers?")
    assert dict(asked[0].params) == {"as_of": "2026-03-09", "explain": "true"}
    for bad in (("",), ("L1", "--as-of", "yesterday")):
        assert getattr(run(tier.register, "tier", *bad).exception, "code", None) == 2


class Closes:
    """A year that is closed in three pieces."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.close: dict[str, Any] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            said = body(request)
            self.asked.append(said)
            if said["period"] == "2026":
                return httpx.Response(
                    409, json={"code": "year_not_over", "detail": "The year 2026 is not over."}
                )
            if said.get("dry_run"):
                return httpx.Response(200, json={"period": said["period"], "dry_run": True, "moves": []})
            self.close = {
                "period": said["period"], "state": "queued", "requested_by": "operator", "holders": 0, "settled": 0,
                "moves": 0, "closed_at": None,
            }  # fmt: skip
            return httpx.Response(202, json=self.close)
        if self.close is None:
            return httpx.Response(404, json={"code": "not_closed", "detail": "It has not been closed."})
        answer = dict(self.close)
        if self.close["state"] == "queued":
            self.close |= {"state": "running", "holders": 2, "closed_at": "2026-01-06T00:00:00+08:00"}
        elif self.close["settled"] < 2:
            self.close["settled"] += 1
        else:
            self.close["state"] = "done"
        return httpx.Response(200, json=answer)


@pytest.mark.req("TIE-9")
def test_a_close_is_followed_to_its_end_and_a_second_call_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closes = Closes()
    monkeypatch.setattr(command, "open_session", lambda *_: session(closes, tmp_path))
    first = run(close_period.register, "close-period", "2025", "--json")
    assert (first.exit_code, json.loads(first.stdout)["state"]) == (0, "done")
    second = run(close_period.register, "close-period", "2025", "--json")
    assert (second.exit_code, second.stdout) == (0, first.stdout)
    assert "closed before" in second.stderr
    assert closes.asked == [{"period": "2025"}]


@pytest.mark.req("TIE-9")
def test_a_refused_close_ends_with_1_and_names_the_year_and_a_bad_period_with_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "open_session", lambda *_: session(Closes(), tmp_path))
    refused = run(close_period.register, "close-period", "2026").exception
    assert getattr(refused, "code", None) == 1
    assert "2026" in str(refused)
    for bad in ("2o11", "11", "2011Q5", "2011-Q1", "", "２０１１"):
        assert getattr(run(close_period.register, "close-period", bad).exception, "code", None) == 2
    rehearsed = run(close_period.register, "close-period", "2025", "--dry-run", "--json")
    assert json.loads(rehearsed.stdout) == {"period": "2025", "dry_run": True, "moves": []}
