"""The kinds of failure, which decide whether work waits or is taken apart."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import exc

from shared.messaging.failures import (
    Backoff,
    CommitUnknownError,
    Kind,
    classify,
    commit_outcome_is_unknown,
    describe,
)


def wrapped(error: Exception, invalidated: bool = False) -> exc.DBAPIError:
    return exc.DBAPIError("SELECT 1", {}, error, connection_invalidated=invalidated)


PASSING = [
    ConnectionRefusedError(),
    TimeoutError(),
    OSError("Multiple exceptions: [Errno 111], [Errno 111]"),
    CommitUnknownError("token"),
    asyncpg.SerializationError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.AdminShutdownError(),
    asyncpg.CannotConnectNowError(),
    asyncpg.DiskFullError(),
    asyncpg.TooManyConnectionsError(),
    asyncpg.IdleInTransactionSessionTimeoutError(),
    asyncpg.ReadOnlySQLTransactionError(),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.InterfaceError("connection is closed"),
    exc.TimeoutError(),
    wrapped(asyncpg.DeadlockDetectedError()),
    wrapped(RuntimeError(), invalidated=True),
]
OURS = [
    ValueError(),
    KeyError("x"),
    FileNotFoundError(),
    MemoryError(),
    RecursionError(),
    asyncpg.UniqueViolationError(),
    asyncpg.UndefinedTableError(),
    asyncpg.InterfaceError("the server expects 2 arguments for this query, 3 were passed"),
    wrapped(asyncpg.NumericValueOutOfRangeError()),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes_by_itself_is_waited_out(error: Exception) -> None:
    assert classify(error) is Kind.TRANSIENT


@pytest.mark.parametrize("error", OURS, ids=repr)
def test_everything_else_is_a_fault_of_ours(error: Exception) -> None:
    assert classify(error) is Kind.BUG


def test_a_refused_commit_is_known_and_a_cut_one_is_not() -> None:
    assert commit_outcome_is_unknown(ConnectionResetError())
    assert commit_outcome_is_unknown(wrapped(asyncpg.AdminShutdownError()))
    assert not commit_outcome_is_unknown(asyncpg.SerializationError())
    assert not commit_outcome_is_unknown(asyncpg.UniqueViolationError())


def test_a_description_says_where_and_never_repeats_the_message() -> None:
    try:
        raise ValueError("customer 13800138000")
    except ValueError as error:
        described = describe(error)
    assert described.startswith("ValueError at test_failures.py:")
    assert "138" not in described


def test_pauses_grow_to_a_bound_and_start_again_after_success() -> None:
    backoff = Backoff(0.1, 1.0, jitter=lambda: 0.0)
    assert [backoff.next() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next() == 0.1
    assert Backoff(1.0, 1.0, jitter=lambda: 1.0).next() == 0.5
