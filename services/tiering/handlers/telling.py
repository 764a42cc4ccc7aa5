"""What tiering tells of its work: tier changes, tiers, suspense and receipts, as records of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

from services.tiering.domain.account import Account
from services.tiering.domain.scheme import Scheme, SchemeVersion
from services.tiering.domain.standing import Standing
from services.tiering.handlers.books import NO_STANDING, Books
from services.tiering.handlers.postings import Changed, HoldNews
from shared.clock import business_date
from shared.contracts import envelope
from shared.contracts.counter_systems import CounterSystem, told_to
from shared.contracts.fields import Invalid
from shared.contracts.tiering_v1 import CausedBy, Receipt, SuspenseEvent, TierChanged, TierState
from shared.messaging.records import Outgoing, Record


def tier_changed(changed: Changed, version: SchemeVersion) -> TierChanged:
    """The event of a tier change."""
    move = changed.move
    return TierChanged(
        customer_code=changed.code,
        scheme=changed.scheme,
        scheme_version=changed.scheme_version,
        version=changed.standing.version,
        from_tier=version.tier_code(move.from_tier),
        to_tier=version.tier_code(move.to_tier),
        direction=move.direction.value,
        reason=move.reason.value,
        effective_on=move.effective_on,
        period=str(move.year),
        total_fen=move.total_fen,
        key_account=changed.key_account,
        decided_at=changed.decided_at,
        caused_by=None if changed.cause is None else CausedBy(source=changed.cause[0], id=changed.cause[1]),
    )


def tier_state(account: Account, version: SchemeVersion, standing: Standing, now: datetime) -> TierState:
    """The latest tier. Its total is that of the last change, or of the current year before the first one."""
    move = standing.last_move
    year = move.year if move else business_date(now).year
    lines = account.totals.get(year)
    total_fen = move.total_fen if move else version.total_of(lines) if lines else 0
    return TierState(
        customer_code=account.code,
        scheme=version.scheme,
        scheme_version=version.version,
        version=standing.version,
        tier=version.tier_code(standing.tier),
        effective_on=standing.effective_on,
        period=str(year),
        total_fen=total_fen,
        key_account=standing.key_account(version),
        as_of=now,
    )


def tier_states(books: Books, schemes: Mapping[str, Scheme]) -> Iterator[TierState]:
    """One state for every account and scheme whose tier or key-account flag changed in these books."""
    today = business_date(books.now)
    for number, code in books.pages.flags:
        account = books.accounts[number]
        version = schemes[code].on(today)
        if version is not None:
            yield tier_state(account, version, account.standings.get(code, NO_STANDING), books.now)


def holding(news: HoldNews, books: Books, decided_by: str | None = None) -> Iterator[Outgoing]:
    """The suspense event and the counter's receipt for something held, released or closed."""
    arrived = news.arrived
    transaction = arrived.transaction
    booked_for = None
    if news.state == "released":
        account = books.account_for(
            transaction.customer_code, transaction.business_date, transaction.counter_id
        )
        booked_for = account.code if account else None
    event = SuspenseEvent(
        customer_code=transaction.customer_code,
        source=arrived.source,
        id=arrived.id,
        state=news.state,  # type: ignore[arg-type]
        reason=news.reason.value,
        counter_id=transaction.counter_id,
        line=transaction.line,
        kind=transaction.kind,
        amount_fen=transaction.amount_fen,
        business_date=transaction.business_date,
        booked_for=booked_for,
        decided_by=decided_by,
        at=books.now,
    )
    identifier = f"{arrived.source}|{arrived.id}|{arrived.content.hex}|{news.state}|{news.reason.value}"
    yield Outgoing(
        event.TOPIC, *event.outgoing(id=short(identifier), time=books.now, traceparent=arrived.traceparent)
    )
    if news.state != "closed":
        receipt = Receipt(
            counter_id=transaction.counter_id,
            source=arrived.source,
            id=arrived.id,
            state=news.state,  # type: ignore[arg-type]
            reason=news.reason.value,
            at=books.now,
        )
        made = receipt.outgoing(id=short(identifier), time=books.now, traceparent=arrived.traceparent)
        for topic in receipt_topics(receipt, books.rules.systems):
            yield Outgoing(topic, *made)


def receipt_topics(receipt: Receipt, systems: Sequence[CounterSystem]) -> list[str]:
    """Where a receipt goes: to all counters, and to the systems that speak for its counter on a topic of their own."""
    own = told_to(systems, receipt.source, receipt.counter_id)
    return [receipt.TOPIC, *(system.receipts_topic for system in own)]


def rejections(
    record: Record, invalid: Invalid, now: datetime, systems: Sequence[CounterSystem] = ()
) -> list[Outgoing]:
    """The receipt for a message that became a dead letter, as far as its counter and its identity can be read, to
    everybody who gets it. A system that sent in another one's name is told on its own topic, too."""
    read = envelope.read(record)
    if isinstance(read, Invalid):
        return []
    counter_id = read.data.get("counter_id")
    if not isinstance(counter_id, str) or not 1 <= len(counter_id) <= 32 or not counter_id.isprintable():
        return []
    receipt = Receipt(
        counter_id=counter_id,
        source=read.source,
        id=read.id,
        state="rejected",
        reason=invalid.reason,
        detail=invalid.detail,
        at=now,
    )
    identifier = f"{record.topic}|{record.partition}|{record.offset}|rejected"
    made = receipt.outgoing(id=identifier, time=now, traceparent=read.traceparent)
    sender = [one.receipts_topic for one in systems if one.transactions_topic == record.topic]
    return [Outgoing(topic, *made) for topic in dict.fromkeys((*receipt_topics(receipt, systems), *sender))]


def short(identifier: str) -> str:
    """An event's id has at most 255 characters; a longer one is cut and ends with a digest of the whole."""
    return identifier if len(identifier) <= 255 else f"{identifier[:200]}|{digest(identifier)}"


def digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
