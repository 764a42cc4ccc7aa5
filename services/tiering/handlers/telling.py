"""What tiering tells of its work: tier changes, tiers, suspense and receipts, as records of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b

from services.tiering.domain.account import Account
from services.tiering.domain.booking import Books, Pages
from services.tiering.domain.entries import SuspenseStep, TierChange
from services.tiering.domain.scheme import SchemeVersion
from services.tiering.domain.standing import NO_STANDING, Standing
from shared.clock import business_date
from shared.contracts.counter_systems import CounterSystem, told_to
from shared.contracts.fields import Invalid
from shared.contracts.senders import sender_of
from shared.contracts.tiering_v1 import CausedBy, Receipt, SuspenseEvent, TierChanged, TierState
from shared.messaging.records import Outgoing, Record


def tier_changed(changed: TierChange) -> TierChanged:
    """The event of a tier change."""
    move, version = changed.move, changed.scheme
    return TierChanged(
        customer_code=changed.code,
        scheme=version.scheme,
        scheme_version=version.version,
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


def of_change(event: TierChanged, traceparent: str | None) -> Outgoing:
    """The record of a tier change, the same bytes whenever it is made."""
    return Outgoing(event.TOPIC, *event.record(traceparent))


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


def tier_states(books: Books, pages: Pages) -> Iterator[Outgoing]:
    """One state for every account and scheme whose tier or key-account flag changed."""
    today = business_date(books.now)
    schemes = {scheme.code: scheme for scheme in books.rules.schemes}
    for number, code in pages.flags:
        account = books.accounts[number]
        version = schemes[code].on(today)
        if version is not None:
            state = tier_state(account, version, account.standings.get(code, NO_STANDING), books.now)
            identifier = f"tier|{state.key}|{books.head.epoch}"
            yield Outgoing(state.TOPIC, *state.outgoing(id=identifier, time=books.now))


def suspense_step(
    step: SuspenseStep, books: Books, systems: Sequence[CounterSystem], decided_by: str | None
) -> Iterator[Outgoing]:
    """The suspense event and the counter's receipt for something held, released or closed."""
    arrived = step.arrived
    transaction = arrived.transaction
    booked_for = None
    if step.state == "released":
        account = books.account_for(
            transaction.customer_code, transaction.business_date, transaction.counter_id
        )
        booked_for = account.code if account else None
    event = SuspenseEvent(
        customer_code=transaction.customer_code,
        source=arrived.source,
        id=arrived.id,
        state=step.state,
        reason=step.reason.value,
        counter_id=transaction.counter_id,
        line=transaction.line,
        kind=transaction.kind,
        amount_fen=transaction.amount_fen,
        business_date=transaction.business_date,
        booked_for=booked_for,
        decided_by=decided_by,
        at=books.now,
    )
    identifier = f"{arrived.source}|{arrived.id}|{arrived.content.hex}|{step.state}|{step.reason.value}"
    yield Outgoing(
        event.TOPIC, *event.outgoing(id=short(identifier), time=books.now, traceparent=arrived.traceparent)
    )
    if step.state != "closed":
        receipt = Receipt(
            counter_id=transaction.counter_id,
            source=arrived.source,
            id=arrived.id,
            state=step.state,
            reason=step.reason.value,
            at=books.now,
        )
        made = receipt.outgoing(id=short(identifier), time=books.now, traceparent=arrived.traceparent)
        for topic in receipt_topics(receipt, systems):
            yield Outgoing(topic, *made)


def receipt_topics(receipt: Receipt, systems: Sequence[CounterSystem]) -> list[str]:
    """Where a receipt goes: to all counters, and to the systems that speak for its counter on a topic of their own."""
    own = told_to(systems, receipt.source, receipt.counter_id)
    return [receipt.TOPIC, *(system.receipts_topic for system in own)]


def rejections(
    record: Record, invalid: Invalid, now: datetime, systems: Sequence[CounterSystem]
) -> list[Outgoing]:
    """The receipt for a message that became a dead letter, wherever its counter and its identity can be read, to
    everybody who gets it. A system that sent in another one's name is told on its own topic, too."""
    sender = sender_of(record)
    if sender is None:
        return []
    receipt = Receipt(
        counter_id=sender.counter_id,
        source=sender.source,
        id=sender.id,
        state="rejected",
        reason=invalid.reason,
        detail=invalid.detail,
        at=now,
    )
    identifier = f"{record.topic}|{record.partition}|{record.offset}|rejected"
    made = receipt.outgoing(id=identifier, time=now, traceparent=sender.traceparent)
    by_whom = [one.receipts_topic for one in systems if one.transactions_topic == record.topic]
    return [Outgoing(topic, *made) for topic in dict.fromkeys((*receipt_topics(receipt, systems), *by_whom))]


def short(identifier: str) -> str:
    """An event's id has at most 255 characters; a longer one is cut and ends with a digest of the whole."""
    return identifier if len(identifier) <= 255 else f"{identifier[:200]}|{digest(identifier)}"


def digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
