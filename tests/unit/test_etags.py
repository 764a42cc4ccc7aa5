"""Versions over HTTP: what a tag says, and what a write must say."""

from __future__ import annotations

import pytest
from fastapi import Request

from shared.etags import check_version, etag, not_modified, required_version
from shared.problems import Problem


def asking(if_none_match: str | None) -> Request:
    headers = [] if if_none_match is None else [(b"if-none-match", if_none_match.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(("given", "version"), [('"7"', 7), (' "0" ', 0), ("*", None)])
def test_a_write_says_which_version_it_means_or_any(given: str, version: int | None) -> None:
    assert required_version(given) == version


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (None, 428, "if_match_missing"),
        ("7", 400, "bad_if_match"),
        ("", 400, "bad_if_match"),
        ('W/"7"', 400, "bad_if_match"),
        ('"07"', 400, "bad_if_match"),
        ('"7", "8"', 400, "bad_if_match"),
    ],
)
def test_a_write_that_says_no_version_is_refused(given: str | None, status: int, code: str) -> None:
    with pytest.raises(Problem) as refused:
        required_version(given)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_a_write_to_another_version_is_told_the_current_one() -> None:
    check_version(7, 7)
    check_version(None, 9)
    with pytest.raises(Problem) as refused:
        check_version(7, 8)
    problem = refused.value
    assert (problem.status, problem.code, problem.members) == (
        412,
        "changed_meanwhile",
        {"current_version": 8},
    )
    assert problem.headers == {"etag": '"8"'}


@pytest.mark.parametrize("known", ['"3"', 'W/"3"', '"1", "3"', "*"])
def test_a_version_that_the_caller_has_is_not_sent_again(known: str) -> None:
    answer = not_modified(asking(known), 3)
    assert answer is not None
    assert (answer.status_code, answer.headers["etag"]) == (304, etag(3))


@pytest.mark.parametrize("known", [None, '"2"', "3"])
def test_a_version_that_the_caller_lacks_is_sent(known: str | None) -> None:
    assert not_modified(asking(known), 3) is None
