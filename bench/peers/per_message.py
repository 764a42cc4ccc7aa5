"""Tiering's core job as a typical Python developer writes it: FastStream and SQLAlchemy, one message a call.

An inbox row, an upsert of the line's and of the year's total, a row in an outbox, one commit, then the acknowledgement;
a loop publishes the outbox. A change may be published twice after a crash. Runs for BENCH_SECONDS and says how many
messages it handled.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Literal

from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import SASLScram512
from pydantic import BaseModel
from sqlalchemy import BigInteger, LargeBinary, Numeric, SmallInteger, String, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.workload import THRESHOLDS_FEN, TIERS

THRESHOLDS = [Decimal(fen) / 100 for fen in THRESHOLDS_FEN]


class Base(DeclarativeBase):
    pass


class Inbox(Base):
    __tablename__ = "inbox"
    source: Mapped[str] = mapped_column(String(255), primary_key=True)
    id: Mapped[str] = mapped_column(String(255), primary_key=True)


class LineTotal(Base):
    __tablename__ = "line_totals"
    customer_code: Mapped[str] = mapped_column(String(32), primary_key=True)
    line: Mapped[str] = mapped_column(String(20), primary_key=True)
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    total: Mapped[Decimal] = mapped_column(Numeric(18, 2))


class CustomerYear(Base):
    __tablename__ = "customer_years"
    customer_code: Mapped[str] = mapped_column(String(32), primary_key=True)
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    total: Mapped[Decimal] = mapped_column(Numeric(18, 2))
    tier: Mapped[int] = mapped_column(SmallInteger)


class Outbox(Base):
    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(String(32))
    value: Mapped[bytes] = mapped_column(LargeBinary)


class Transaction(BaseModel):
    customer_code: str
    line: Literal[
        "letters", "logistics", "express", "parcels", "press", "finance", "information", "philately"
    ]
    kind: Literal["sale", "reversal"]
    amount: Decimal
    business_date: date


class TierChanged(BaseModel):
    customer_code: str
    scheme: str = "city-default"
    from_tier: str
    to_tier: str
    period: str
    total: str
    caused_by: dict[str, str]


engine = create_async_engine(os.environ["BENCH_DATABASE"])
sessions = async_sessionmaker(engine, expire_on_commit=False)
broker = KafkaBroker(
    os.environ["BENCH_BOOTSTRAP"],
    security=SASLScram512("admin", os.environ["BENCH_PASSWORD"], use_ssl=False),
    enable_idempotence=True,
    logger=None,
)
handled = 0
began = 0.0


@broker.subscriber(
    os.environ["BENCH_IN"],
    group_id=f"bench-per-message-{os.getpid()}",
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.MANUAL,
)
async def book(transaction: Transaction, message: KafkaMessage) -> None:
    global handled, began
    began = began or time.perf_counter()
    source, identifier = message.headers["ce_source"], message.headers["ce_id"]
    async with sessions() as session:
        added = (
            insert(Inbox).values(source=source, id=identifier).on_conflict_do_nothing().returning(Inbox.id)
        )
        if (await session.execute(added)).scalar_one_or_none() is not None:
            code, year = transaction.customer_code, transaction.business_date.year
            amount = transaction.amount if transaction.kind == "sale" else -transaction.amount
            line = insert(LineTotal).values(
                customer_code=code, line=transaction.line, year=year, total=amount
            )
            await session.execute(
                line.on_conflict_do_update(
                    index_elements=["customer_code", "line", "year"],
                    set_={"total": LineTotal.total + line.excluded.total},
                )
            )
            whole = insert(CustomerYear).values(customer_code=code, year=year, total=amount, tier=0)
            total, tier = (
                await session.execute(
                    whole.on_conflict_do_update(
                        index_elements=["customer_code", "year"],
                        set_={"total": CustomerYear.total + whole.excluded.total},
                    ).returning(CustomerYear.total, CustomerYear.tier)
                )
            ).one()
            reached = sum(total >= threshold for threshold in THRESHOLDS)
            if transaction.kind == "sale" and reached > tier:
                await session.execute(
                    update(CustomerYear)
                    .where(CustomerYear.customer_code == code, CustomerYear.year == year)
                    .values(tier=reached)
                )
                changed = TierChanged(
                    customer_code=code,
                    from_tier=TIERS[tier],
                    to_tier=TIERS[reached],
                    period=str(year),
                    total=str(total),
                    caused_by={"source": source, "id": identifier},
                )
                session.add(Outbox(key=code, value=changed.model_dump_json().encode()))
        await session.commit()
    await message.ack()
    handled += 1


async def relay() -> None:
    while True:
        async with sessions() as session:
            rows = (await session.execute(select(Outbox).order_by(Outbox.id).limit(200))).scalars().all()
            for row in rows:
                await broker.publish(row.value, os.environ["BENCH_OUT"], key=row.key.encode())
            if rows:
                await session.execute(delete(Outbox).where(Outbox.id.in_([row.id for row in rows])))
            await session.commit()
        if not rows:
            await asyncio.sleep(0.05)


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await broker.start()
    relaying = asyncio.create_task(relay())
    seconds = float(os.environ["BENCH_SECONDS"])
    while not began or time.perf_counter() - began < seconds:
        print("AT", handled, flush=True)
        await asyncio.sleep(0.5)
    print("DONE", handled, time.perf_counter() - began, flush=True)
    relaying.cancel()
    with suppress(asyncio.CancelledError):
        await relaying
    await broker.stop()
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
