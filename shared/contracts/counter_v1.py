"""What counter systems send, version 1: revenue transactions and daily control totals (10-contracts).

Transactions are the hot path of the whole system. `read_transaction` decodes and checks a record in one pass
without building a model, straight into a tuple; `TransactionData` states the same rules as a pydantic model,
from which the published schema comes, and a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self, TypeVar
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from shared.contracts import topics
from shared.contracts.envelope import (
    Message,
    Outgoing,
    Readable,
    decode,
    identify,
    no_object,
    traceparent_of,
    write,
)
from shared.contracts.fields import (
    IDENTITY_LENGTH_MAX,
    NO_CONTROL,
    Amount,
    Code,
    Count,
    Day,
    Instant,
    Invalid,
    Part,
    Text,
    Unreadable,
    amount,
    code,
    count,
    day,
    evidence,
    instant,
    instant_and_business_date,
    missing,
    printed_instant,
    text,
)
from shared.ids import uuid_of
from shared.kernel import lines
from shared.kernel.lines import Line as Line
from shared.money import AMOUNT_PATTERN, format_yuan, parse_yuan

TRANSACTION_TYPE: Final = "keypost.counter.transaction.v1"
CONTROL_TOTAL_TYPE: Final = "keypost.counter.control-total.v1"

Kind = Literal["sale", "reversal"]
Settlement = Literal["cash", "credit"]

LINES: Final[dict[str, Line]] = {line: line for line in lines.LINES}
"""The eight lines of business; a look-up also gives every transaction the same string object."""
KINDS: Final[dict[str, Kind]] = {"sale": "sale", "reversal": "reversal"}
SETTLEMENTS: Final[dict[str, Settlement]] = {"cash": "cash", "credit": "credit"}


class Transaction(NamedTuple):
    """One checked counter transaction: amounts in fen and always positive, instants in UTC, text in NFC."""

    customer_code: str
    """As sent: a registry code or a counter-local one."""
    counter_id: str
    line: Line
    kind: Kind
    amount_fen: int
    occurred_at: datetime
    business_date: date
    settlement: Settlement
    pieces: int | None
    reverses: str | None
    """The `id` of the reversed sale, from the same source; only a reversal may have one."""
    manager_id: str | None
    clerk_id: str | None
    payer_uscc: str | None
    payer_name_hash: str | None
    product: str | None
    destination: str | None

    def content_hash(self) -> bytes:
        """16 bytes that are equal exactly when two transactions say the same.

        Content is the parsed value of the known fields after defaults. No text here can hold a control
        character, so the separators are unambiguous. Optional fields count by name and only where present: a
        field that a later minor version adds leaves the hashes of all earlier messages as they are, for ever.
        """
        said = (
            f"{self.customer_code}\x1f{self.counter_id}\x1f{self.line}\x1f{self.kind}\x1f{self.amount_fen}"
            f"\x1f{self.occurred_at.isoformat()}\x1f{self.business_date.isoformat()}\x1f{self.settlement}"
        )
        for name, value in zip(_OPTIONAL, self[8:], strict=True):
            if value is not None:
                said += f"\x1e{name}\x1f{value}"
        return blake2b(said.encode(), digest_size=16).digest()

    def to_data(self) -> dict[str, Any]:
        """The `data` object that says the same, with all defaults written out and absent fields left out."""
        said: dict[str, Any] = {
            "customer_code": self.customer_code,
            "counter_id": self.counter_id,
            "line": self.line,
            "kind": self.kind,
            "amount": format_yuan(self.amount_fen),
            "occurred_at": _instant_text(self.occurred_at),
            "business_date": self.business_date.isoformat(),
            "settlement": self.settlement,
        }
        said.update(
            (name, value) for name, value in zip(_OPTIONAL, self[8:], strict=True) if value is not None
        )
        return said

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Self:
        """The transaction that `to_data` wrote down. Its rules are not asked again: what was accepted once stays
        readable for ever, also where a rule has become stricter since.
        """
        return cls(
            data["customer_code"],
            data["counter_id"],
            LINES[data["line"]],
            KINDS[data["kind"]],
            parse_yuan(data["amount"]),
            datetime.fromisoformat(data["occurred_at"]).astimezone(UTC),
            date.fromisoformat(data["business_date"]),
            SETTLEMENTS[data["settlement"]],
            *[data.get(name) for name in _OPTIONAL],
        )

    def outgoing(
        self, *, id: str, source: str, time: datetime | None = None, traceparent: str | None = None
    ) -> Outgoing:
        """The record that carries this transaction, keyed by the customer code as every counter does it."""
        return write(
            type=TRANSACTION_TYPE,
            source=source,
            id=id,
            time=time or self.occurred_at,
            subject=self.customer_code,
            data=self.to_data(),
            traceparent=traceparent,
        )


_OPTIONAL: Final = Transaction._fields[8:]
_EVIDENCE: Final = Transaction._fields[10:]
_Word = TypeVar("_Word", bound=str)


def _instant_text(moment: datetime) -> str:
    """To the millisecond where that loses nothing, else to the microsecond: the content must survive a round
    trip.
    """
    return printed_instant(moment) if moment.microsecond % 1000 == 0 else moment.isoformat()


class ReadTransaction(NamedTuple):
    """A transaction with the identity of the event that brought it."""

    id: str
    source: str
    traceparent: str | None
    transaction: Transaction


def identity(source: str, id: str) -> UUID:
    """The pair (`source`, `id`) as 16 bytes. The length of the source goes first, so that no two pairs run
    together.
    """
    said = f"{len(source)}:{source}{id}"
    return uuid_of(blake2b(said.encode(), digest_size=16).digest())


def read_transaction(record: Readable) -> ReadTransaction | Invalid:
    """The transaction that a record of `counter.transactions.v1` carries, or why it carries none. Never
    raises.
    """
    try:
        attributes, data, _ = decode(record, TRANSACTION_TYPE)
        identifier, source = identify(attributes)
        transaction = _transaction(data)
        given_time = attributes.get("time")
        # Most counters send one instant for both, which has been checked by then.
        if given_time is not None and given_time != data["occurred_at"]:
            instant(given_time, "time")
        return ReadTransaction(identifier, source, traceparent_of(attributes, record.headers), transaction)
    except Unreadable as fault:
        return fault.invalid()


def _transaction(data: Any) -> Transaction:
    if data is None:
        raise missing("data")
    if type(data) is not dict:
        raise no_object(data)
    get = data.get
    kind = _one_of(KINDS, get("kind"), "kind")
    amount_fen = amount(get("amount"), "amount")
    if amount_fen == 0:
        raise Unreadable("bad_field", "amount is zero")
    occurred_at, business_date = instant_and_business_date(get("occurred_at"), "occurred_at")
    given = get("business_date")
    if given is not None:
        business_date = day(given, "business_date")
    reverses = get("reverses")
    if reverses is not None:
        reverses = text(reverses, "reverses", IDENTITY_LENGTH_MAX)
        if kind == "sale":
            raise Unreadable("bad_field", "reverses is given on a sale")
    settlement = get("settlement")
    pieces = get("pieces")
    return Transaction(
        code(get("customer_code"), "customer_code"),
        text(get("counter_id"), "counter_id", 32),
        _one_of(LINES, get("line"), "line"),
        kind,
        amount_fen,
        occurred_at,
        business_date,
        "cash" if settlement is None else _one_of(SETTLEMENTS, settlement, "settlement"),
        None if pieces is None else count(pieces, "pieces"),
        reverses,
        *[None if (said := get(name)) is None else evidence(said, name) for name in _EVIDENCE],
    )


def _one_of(words: Mapping[str, _Word], value: object, name: str) -> _Word:
    if type(value) is not str:
        raise missing(name) if value is None else Unreadable("bad_field", f"{name} is not a string")
    word = words.get(value)
    if word is None:
        raise Unreadable("bad_field", f"{name} is not one of {', '.join(words)}")
    return word


# --- The same rules as models -------------------------------------------------------------------------------

_Evidence = Annotated[
    str | None,
    BeforeValidator(lambda value: evidence(value, "the value")),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": IDENTITY_LENGTH_MAX, "pattern": f"{NO_CONTROL[:-2]}*$"},
                {"type": "null"},
            ]
        }
    ),
]


def _positive(value: int) -> int:
    if value == 0:
        raise Unreadable("bad_field", "the value is zero")
    return value


_CounterId = Annotated[
    str,
    BeforeValidator(lambda value: text(value, "the value", 32)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 32, "pattern": NO_CONTROL}),
]
_Price = Annotated[
    int,
    BeforeValidator(lambda value: _positive(amount(value, "the value"))),
    PlainSerializer(format_yuan, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^(?!0+(\\.0+)?$){AMOUNT_PATTERN}$"}),
]


class TransactionData(Message):
    """A revenue transaction as counters send it. `read_transaction` is what reads it; this states its
    schema.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"kind": {"const": "sale"}}},
            "then": {"properties": {"reverses": {"type": "null"}}},
        }
    )

    TYPE: ClassVar[str] = TRANSACTION_TYPE
    TOPIC: ClassVar[str] = topics.COUNTER_TRANSACTIONS

    customer_code: Code = Field(description="A registry code, or a counter-local code mapped to one.")
    counter_id: _CounterId = Field(description="The outlet; an unknown one is booked and listed, never held.")
    line: Line = Field(description="The line of business.")
    kind: Kind = Field(description="A reversal lowers the total by the amount.")
    amount_fen: _Price = Field(alias="amount", description="Yuan, a decimal string above zero.")
    occurred_at: Instant = Field(description="RFC 3339 with its offset.")
    business_date: Day | None = Field(
        default=None, description="Default: the date of occurred_at in Asia/Shanghai."
    )
    settlement: Settlement | None = Field(default=None, description="Default: cash.")
    pieces: Count | None = Field(default=None, description="Volume.")
    reverses: Text | None = Field(
        default=None,
        description="For a reversal: the id of the sale from the same source, where it is known.",
    )
    manager_id: _Evidence = Field(default=None, description="Evidence only.")
    clerk_id: _Evidence = Field(default=None, description="Evidence only.")
    payer_uscc: _Evidence = Field(default=None, description="Evidence only.")
    payer_name_hash: _Evidence = Field(default=None, description="Evidence only.")
    product: _Evidence = Field(default=None, description="Evidence only.")
    destination: _Evidence = Field(
        default=None, description="A division (GB/T 2260) or a country; evidence only."
    )

    @model_validator(mode="after")
    def _only_a_reversal_reverses(self) -> Self:
        if self.kind == "sale" and self.reverses is not None:
            raise Unreadable("bad_field", "reverses is given on a sale")
        return self

    @property
    def key(self) -> str:
        return self.customer_code


class CountedAmount(Part):
    """How many transactions of one kind, and what they add up to."""

    count: Count
    amount_fen: Amount = Field(alias="amount", description="Yuan, a decimal string, zero allowed.")


class CustomerTotal(Part):
    """A counter's own total of one customer on one day and line."""

    customer_code: Code
    amount_fen: Amount = Field(alias="amount", description="Yuan, a decimal string, zero allowed.")


class ControlTotal(Message):
    """A counter's own totals of one day and line; a later one for the same three replaces the earlier."""

    TYPE: ClassVar[str] = CONTROL_TOTAL_TYPE
    TOPIC: ClassVar[str] = topics.CONTROL_TOTALS

    counter_id: _CounterId
    business_date: Day
    line: Line
    sales: CountedAmount
    reversals: CountedAmount
    customers: tuple[CustomerTotal, ...] | None = None

    @property
    def key(self) -> str:
        return self.counter_id
