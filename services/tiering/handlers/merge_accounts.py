"""Merge an account into another (TIE-14), by whichever of the registry's two states comes first: the survivor's, which
lists the alias, or the alias's own. What the other one then says changes nothing any more.

The ledger keeps its rows. Codes stay bound to the account they were bound to, and an account that was merged means the one
it was merged into (`Books.survivor`), so that nothing told late about the alias can bring it back.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from services.tiering.domain.account import Account, Binding
from services.tiering.domain.agreement import NEVER_COVERED
from services.tiering.domain.booking import Books
from services.tiering.domain.merging import alias_at_merge, joined_cover, survivor_at_merge, take_totals
from services.tiering.domain.promotion import deciding_year, last_rise
from services.tiering.domain.scheme import SchemeVersion
from services.tiering.domain.standing import NO_STANDING, Standing, caught_up
from services.tiering.handlers.ports import CustomerStore
from shared.clock import business_date


async def merge_accounts(
    books: Books,
    store: CustomerStore,
    one: Account,
    other: Account,
    at: datetime,
    cause: tuple[str, str],
    traceparent: str | None,
) -> bool:
    """Merge `one` into `other`, or what each of them is part of by now; False when they are one already. Nothing may have
    been booked in these books since they were last kept, for the totals move in the store at once."""
    alias, survivor = books.survivor(one.number), books.survivor(other.number)
    if alias is survivor:
        return False
    take_totals(survivor, alias)
    await store.move_totals(alias.number, survivor.number)
    alias.merged_into, alias.merged_at, alias.merged_seq = survivor.number, at, books.seq
    books.merged.setdefault(survivor.number, set()).add(alias.number)
    today = business_date(books.now)
    for scheme in books.rules.schemes:
        version = scheme.on(today)
        if version is not None:
            await _join_standings(
                books, store, version, alias, survivor, business_date(at), cause, traceparent
            )
    return True


async def _join_standings(
    books: Books,
    store: CustomerStore,
    version: SchemeVersion,
    alias: Account,
    survivor: Account,
    day: date,
    cause: tuple[str, str],
    traceparent: str | None,
) -> None:
    gone = alias.standings.get(version.scheme)
    if gone is not None:
        left, end = alias_at_merge(gone, day)
        books.keep_standing(alias, version.scheme, left)
        if end is not None:
            books.note_change(alias, version, left, end, cause, traceparent)
    last_closed = books.closed.last
    before = survivor.standings.get(version.scheme, NO_STANDING)
    cover = joined_cover(before.cover, gone.cover if gone is not None else NEVER_COVERED)
    after = caught_up(replace(before, cover=cover), last_closed)
    if cover != before.cover:
        books.keep_standing(survivor, version.scheme, after)
        if before.tier and before.key_account(version) != after.key_account(version):
            books.pages.flags.add((survivor.number, version.scheme))
    rose_on = await rise_of(books, store, version, after, survivor)
    move = survivor_at_merge(version, after, survivor.city_group, survivor.totals, last_closed, day, rose_on)
    if move is not None:
        books.move(survivor, version, after, move, cause, traceparent)


async def rise_of(
    books: Books, store: CustomerStore, version: SchemeVersion, standing: Standing, account: Account
) -> date | None:
    """When the deciding year last rose to its level, over the bookings of all that the account was merged from; looked up
    only where it may promote."""
    best = deciding_year(version, account.city_group, account.totals, books.closed.last)
    if best is None or best[0] <= standing.tier:
        return None
    tier, year = best
    bookings = await store.bookings(books.parts(account.number), year, version.lines)
    return last_rise(bookings, version.thresholds(account.city_group)[tier - 1])


def open_account(books: Books, code: str, beside: Account | None = None) -> Account:
    """A new account; before its own state has come it belongs where its other side in a merge does."""
    books.account_number += 1
    account = books.accounts[books.account_number] = Account(books.account_number, code)
    if beside is not None:
        account.unit_code, account.unit_path = beside.unit_code, beside.unit_path
        account.manager, account.city_group = beside.manager, beside.city_group
    return account


def belong(books: Books, account: Account) -> None:
    """A merged account belongs where its survivor does, so that whoever may see the one sees all of its bookings."""
    if account.merged_into is not None:
        survivor = books.survivor(account.number)
        account.unit_code, account.unit_path = survivor.unit_code, survivor.unit_path
        account.manager = survivor.manager


def own_code(account: Account) -> list[tuple[str, Binding]]:
    """A customer's own code means it for ever."""
    return [(account.code, Binding(account.number))]
