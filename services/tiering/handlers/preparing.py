"""Filling the books before anything is booked: everything that deciding needs is read in a few statements.

What a transaction leads to can be followed beforehand: its code and account, the sale it names, the reversals that wait
for it, and their codes and accounts. No more than that is ever needed, because only a sale has reversals waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.tiering.domain.booking import Books
from services.tiering.domain.entries import Arrival
from services.tiering.handlers.ports import LedgerStore


async def prepare(books: Books, store: LedgerStore, transactions: Sequence[Arrival]) -> None:
    """Read everything that placing these transactions may need."""
    sales = [arrived.identity for arrived in transactions if arrived.transaction.kind == "sale"]
    waiting = await store.waiting_for(sales)
    followers: list[Arrival] = []
    for found in waiting:
        hold = books.holds.setdefault(found.number, found)
        if hold is found and hold.waits_for is not None:
            books.waiting.setdefault(hold.waits_for, []).append(hold)
            books.named.add(hold.waits_for)
            followers.append(hold.arrived)
    everything = [*transactions, *followers] if followers else transactions
    named = {arrived.reverses for arrived in everything if arrived.reverses is not None}
    books.named |= named
    unknown = named - books.sales.keys()
    if unknown:
        books.sales.update(await store.sales(unknown))
    codes = books.codes_of(everything)
    if codes:
        books.bindings.update(await store.bindings(codes))
    counters = {
        arrived.transaction.counter_id
        for arrived in everything
        if any(one.unit_code is not None for one in books.bindings[arrived.transaction.customer_code])
    } - books.counters.keys()
    if counters:
        books.counters.update(dict.fromkeys(counters, "") | await store.unit_paths(counters))
    needed = {
        binding.account
        for arrived in everything
        for binding in books.bindings[arrived.transaction.customer_code]
    }
    if named:
        needed |= {sale.account for identity in named if (sale := books.sales.get(identity)) is not None}
    await bring(books, store, needed)


async def bring(books: Books, store: LedgerStore, numbers: Iterable[int]) -> None:
    """Read accounts that are not in the books yet, each with those that it was merged into."""
    missing = set(numbers) - books.accounts.keys()
    while missing:
        books.admit(await store.accounts(missing))
        into = {books.accounts[number].merged_into for number in missing}
        missing = {number for number in into if number is not None} - books.accounts.keys()
