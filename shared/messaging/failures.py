"""Kinds of failure, decided once: what passes by itself is waited out, everything else is a fault of our own code."""

from __future__ import annotations

import enum
import traceback

import aiokafka.errors
import asyncpg
import confluent_kafka
from sqlalchemy import exc

from shared.messaging.backoff import Backoff as Backoff


class Kind(enum.Enum):
    TRANSIENT = "transient"
    """The database or the broker is away, busy or cut off: the same work again, for ever, with a bounded pause."""
    BUG = "bug"
    """Anything else: our own code failed on this input."""


class CommitUnknownError(ConnectionError):
    """The connection broke during COMMIT: the transaction may or may not have happened. `token` is the work's."""

    def __init__(self, token: str) -> None:
        super().__init__("the answer to COMMIT was lost")
        self.token = token


class SupersededError(Exception):
    """The stored position is not what this consumer expects: someone else has done this work, or has rewound it."""


_PASSING_CLASSES = ("08", "53", "57P", "58")
_PASSING_STATES = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
        "57014",  # query_canceled: a timeout, or an operator
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
        "25006",  # read_only_sql_transaction: a server that is being failed over
        "28000",  # invalid_authorization: a password being rotated must not dead-letter anything
        "28P01",
        "3D000",  # the database does not exist (yet)
    }
)
_CLOSED = ("is closed", "was closed", "been closed", "connection lost", "has been released", "in progress")


def classify(error: BaseException) -> Kind:
    """Decide the kind of a failure; a wrapped driver error is judged by what the driver said."""
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return Kind.TRANSIENT
        return _of_driver(error.orig) if error.orig is not None else Kind.BUG
    if isinstance(error, exc.TimeoutError | exc.PendingRollbackError):
        return Kind.TRANSIENT
    return _of_driver(error)


def _of_driver(error: BaseException) -> Kind:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(state, str):
        passing = state in _PASSING_STATES or state.startswith(_PASSING_CLASSES)
        return Kind.TRANSIENT if passing else Kind.BUG
    if isinstance(error, ConnectionError | TimeoutError):
        return Kind.TRANSIENT
    if isinstance(error, aiokafka.errors.KafkaError | confluent_kafka.KafkaException):
        return Kind.TRANSIENT
    if isinstance(error, asyncpg.InterfaceError | exc.InterfaceError) or _is_adapted_interface_error(error):
        # The driver has one class for a closed connection and for a wrong argument; only its words tell them apart.
        return Kind.TRANSIENT if any(words in str(error) for words in _CLOSED) else Kind.BUG
    if isinstance(error, OSError):
        # Name resolution, unreachable hosts and several refused addresses at once come as a bare OSError, while a
        # missing file or right is a subclass of its own and a fault of ours.
        return Kind.BUG if isinstance(error, FileNotFoundError | PermissionError) else Kind.TRANSIENT
    return Kind.BUG


def _is_adapted_interface_error(error: BaseException) -> bool:
    return (
        type(error).__module__.startswith("sqlalchemy.dialects") and "InterfaceError" in type(error).__name__
    )


def commit_outcome_is_unknown(error: BaseException) -> bool:
    """Whether a failure during COMMIT leaves open if it happened: yes for a lost connection or a timeout, no where
    the server itself answered that it refused."""
    if classify(error) is not Kind.TRANSIENT:
        return False
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return not (isinstance(state, str) and state.startswith(("40", "55", "25")))


def describe(error: BaseException) -> str:
    """Where our code failed, without the message: a driver's message quotes values, and values can be personal."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{_code(error)}{place}"


def _code(error: BaseException) -> str:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return f" {state}"
    if isinstance(error, confluent_kafka.KafkaException) and error.args:
        return f" {error.args[0].name()}" if isinstance(error.args[0], confluent_kafka.KafkaError) else ""
    return ""
