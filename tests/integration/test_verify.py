"""The outside checker on a whole book made by the real handlers: it passes, and one thing changed by hand is found.

The book comes from a generated scenario with duplicates, conflicts, replaced contents, reversals, closes, late revenue,
merges and every class of poison, so that passing without a difference is a proof of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support import generated
from tests.support.engines import own_folder, running_engines
from tests.support.whole_book import WholeBook, drop_book, make_book
from verifier import __main__ as checker

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
async def book(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WholeBook]:
    """Engines of its own: the checker reads whole topics, so nobody else may write to them."""
    scenario = generated.build(seed=11, size=800, merges=2)
    with own_folder("verify") as folder, running_engines(folder) as engines:
        made = await make_book(engines, scenario.start, tmp_path_factory.mktemp("clock") / "clock")
        await made.bench.play(scenario)
        await made.publish()
        yield made
        await drop_book(made)


async def found(book: WholeBook) -> set[tuple[str, str]]:
    """(check, what) of the differences of one pass."""
    return {(one.check, one.what) for one in (await checker.one_pass(book.settings)).differences}


@pytest.mark.req("TIE-1", "TIE-2", "TIE-24", "PLT-2")
async def test_a_book_made_by_the_services_has_no_difference(book: WholeBook) -> None:
    report = await checker.one_pass(book.settings)
    assert report.text().endswith("no differences"), report.text()
    for what in (
        "ledger entries",
        "month totals",
        "tier changes",
        "tier changes on the topic",
        "latest tiers",
        "booked records",
        "repeated records",
        "dead letters",
        "customers of tiering",
        "customers of reporting",
        "rows of tier_view",
        "rows of tier_movement_view",
        "years of revenue",
        "evidence totals",
    ):
        assert report.compared[what] > 0, what


CORRUPTIONS = {
    "a total": ("tiering", "month_totals", "amount_fen = amount_fen + 1", ("totals", "amount")),
    "a count": ("tiering", "month_totals", "count = count + 1", ("totals", "count")),
    "a late part": ("tiering", "month_totals", "late_fen = late_fen + 1", ("totals", "late part")),
    "a standing's version": (
        "tiering",
        "standings",
        "version = version + 1",
        ("tiers", "standing's version"),
    ),
    "a change's version": ("tiering", "tier_changes", "version = version + 100", ("tiers", "version")),
    "an identity": ("tiering", "identities", "seq = seq + 1", None),
    "an amount": ("tiering", "ledger", "amount_fen = amount_fen * 10", ("totals", "amount")),
    "a view's tier": ("reporting", "tier_view", "tier = 'x'", ("reporting views", "tier")),
    "a view's movement": ("reporting", "tier_movement_view", "reason = 'x'", ("reporting views", "reason")),
    "a customer": ("reporting", "customer_view", "name = 'x'", ("customers", "name")),
    "a merge undone": ("tiering", "accounts", "merged_into = NULL", ("totals", "month total")),
    "a merge's place": ("tiering", "accounts", "merged_seq = 0", ("totals", "booked for")),
    "a sum of evidence": (
        "tiering",
        "evidence_totals",
        "bookings = bookings + 1",
        ("evidence", "amount, bookings and days"),
    ),
    "a known agreement": ("tiering", "accounts", "agreements = '[]'", ("customers", "agreements")),
}
ALWAYS = (
    "a total",
    "a change's version",
    "an amount",
    "a view's tier",
    "a merge undone",
    "a sum of evidence",
)
"""What every run of the tests corrupts; the rest belongs to the long tests, because each is a whole pass."""
FIRST = {
    "month_totals": "(account, month, line) = (SELECT account, month, line FROM month_totals ORDER BY 1, 2, 3 LIMIT 1)",
    "evidence_totals": "account = (SELECT min(account) FROM evidence_totals) AND kind = 0",
    "standings": "(account, scheme) = (SELECT account, scheme FROM standings WHERE version > 1 ORDER BY 1, 2 LIMIT 1)",
    "tier_changes": "number = (SELECT max(number) FROM tier_changes)",
    "identities": "seq = (SELECT max(seq) - 1 FROM identities)",
    "ledger": "seq = (SELECT min(seq) FROM ledger WHERE kind = 'sale')",
    "tier_view": "(customer_code, scheme) = (SELECT customer_code, scheme FROM tier_view ORDER BY 1, 2 LIMIT 1)",
    "tier_movement_view": "(customer_code, scheme, version) = (SELECT customer_code, scheme, version "
    "FROM tier_movement_view ORDER BY 1, 2, 3 LIMIT 1)",
    "customer_view": "customer_code = (SELECT min(customer_code) FROM customer_view)",
    "accounts": "number = (SELECT min(number) FROM accounts WHERE agreements <> '[]' AND merged_into IS NULL)",
}
MERGED = "number = (SELECT min(account) FROM ledger WHERE account IN (SELECT number FROM accounts WHERE merged_seq > 0))"


@pytest.mark.req("TIE-2", "PLT-2")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in CORRUPTIONS]
)
async def test_one_row_changed_by_hand_is_found(book: WholeBook, name: str) -> None:
    service, table, change, expected = CORRUPTIONS[name]
    database = book.tiering if service == "tiering" else book.reporting
    which = MERGED if "merge" in name else FIRST[table]
    book.sql(f"CREATE TABLE kept AS TABLE {table}; UPDATE {table} SET {change} WHERE {which};", database)
    try:
        differences = await found(book)
        assert differences, name
        if expected is not None:
            assert expected in differences, differences
        if table not in ("ledger", "tier_changes", "identities", "accounts", "standings"):
            assert differences == {expected}
    finally:
        book.sql(
            f"BEGIN; TRUNCATE {table}; INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept; COMMIT;",
            database,
        )


@pytest.mark.req("TIE-1", "PLT-2")
async def test_a_record_that_was_read_and_never_booked_is_found(book: WholeBook) -> None:
    book.sql("CREATE TABLE kept AS TABLE positions; UPDATE positions SET next_offset = next_offset + 1;")
    record = book.broker.written["counter.transactions.v1"]
    good = next(one for one in record if one[1] and b"specversion" not in one[1] and b'"sale"' in one[1])
    headers = [(name, b"never-seen" if name == "ce_id" else value) for name, value in good[2]]
    book.broker.write("counter.transactions.v1", [(good[0], good[1], headers)])
    try:
        report = await checker.one_pass(book.settings)
        assert {(one.check, one.found) for one in report.differences} == {("transactions topic", "neither")}
    finally:
        book.sql(
            "BEGIN; TRUNCATE positions; INSERT INTO positions SELECT * FROM kept; DROP TABLE kept; COMMIT;"
        )


@pytest.mark.req("TIE-21")
async def test_a_change_repeated_on_the_topic_is_found(book: WholeBook) -> None:
    key, value, headers = book.broker.written["tiering.tier-changes.v1"][0]
    book.broker.write("tiering.tier-changes.v1", [(key, value, headers)])
    differences = await found(book)
    assert differences == {
        ("tier-changes topic", "once, in order"),
        ("tier-changes topic", "order per customer"),
    }
