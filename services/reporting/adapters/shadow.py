"""The second copy of the views, in the schema `shadow`: filled like the served one, compared with it, put in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.reporting.adapters.views import CHANNEL, VIEWS_LOCK, PostgresViews
from services.reporting.domain.freshness import Freshness
from services.reporting.domain.rebuilding import Compared
from shared.contracts import topics
from shared.messaging.positions import Place
from shared.messaging.work import Work

COMPARISON_S: Final = 900.0
"""How long one view may take to compare; writing waits meanwhile, reading does not."""
EXAMPLES: Final = 20
"""How many keys of rows that differ are named for each view."""
EXCHANGE_PATIENCE: Final = "500ms"
"""A reader that holds a view for longer, and all who would queue behind the exchange, are let go first. It is shorter than
the server's `deadlock_timeout`, so that no reader is ever chosen to be ended."""


class ShadowViews(PostgresViews):
    """The same store, writing to the copy. It is nobody's source of freshness and announces nothing."""

    async def open(self) -> None:
        await self._run("SET LOCAL search_path = shadow, public")

    async def keep_freshness(self, reached: Sequence[Freshness]) -> None:
        pass

    async def announce(self, views: Sequence[str]) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of a view came from: of a topic whose records expire, the columns with partition and offset."""

    view: str
    topic: str
    partition: str
    offset: str
    service: str | None = None
    """Only rows of this service, where several topics feed the view."""
    folded: bool = False
    """The row is made of several records, so the served one replaces what a part of them gave."""


def _of_letters(service: str) -> tuple[Origin, Origin]:
    view = "dead_letter_view"
    letter = topics.dead_letter_topic(service)
    events = topics.events_topic(service)
    return (
        Origin(view, letter, "letter_partition", "letter_offset", service, folded=True),
        Origin(view, events, "disposed_partition", "disposed_offset", service, folded=True),
    )


ORIGINS: Final = (
    Origin("customer_event_view", topics.CUSTOMER_EVENTS, "partition", "record_offset"),
    Origin("claims_event_view", topics.CLAIMS_EVENTS, "partition", "record_offset"),
    Origin("alert_view", topics.events_topic("registry"), "partition", "record_offset"),
    Origin("suspense_view", topics.SUSPENSE, "partition", "first_offset", folded=True),
    *(origin for service in topics.SERVICES for origin in _of_letters(service)),
)

# The end of a window is kept so that nothing brings it back; a copy made after its tombstone was compacted away has none.
_SHOWN: Final = {"window_view": "state <> 'gone'"}

_COLUMNS: Final = """
SELECT c.relname AS view, array_agg(a.attname ORDER BY a.attnum) AS columns,
    (SELECT array_agg(k.attname ORDER BY array_position(i.indkey::int2[], k.attnum)) FROM pg_index i
        JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY(i.indkey)
        WHERE i.indrelid = c.oid AND i.indisprimary) AS key
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'shadow'::regnamespace AND c.relkind = 'r' GROUP BY c.oid, c.relname ORDER BY c.relname
"""


class Shadow:
    """The copy as a whole, inside one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def empty(self) -> None:
        await (await self._work.raw()).execute("SELECT empty_shadow()")

    async def stop_writing(self) -> None:
        """Have the service's own writing wait until this transaction ends; reading goes on."""
        raw = await self._work.raw()
        await raw.execute("SET LOCAL idle_in_transaction_session_timeout = '120s'")
        await raw.execute("SELECT pg_advisory_xact_lock($1)", VIEWS_LOCK)

    async def keep_expired(self, begins: Mapping[Place, int]) -> dict[str, int]:
        """Take over the served rows that came from records which the topics no longer have; how many, by view."""
        raw = await self._work.raw()
        shapes = {row["view"]: row for row in await raw.fetch(_COLUMNS)}
        kept: dict[str, int] = {}
        for origin in ORIGINS:
            expired = [
                (at.partition, first)
                for at, first in begins.items()
                if at.topic == origin.topic and first > 0
            ]
            if expired:
                shape = shapes[origin.view]
                status = await raw.execute(
                    _keep_statement(origin, list(shape["columns"]), list(shape["key"])),
                    [partition for partition, _ in expired],
                    [first for _, first in expired],
                    timeout=COMPARISON_S,
                )
                kept[origin.view] = kept.get(origin.view, 0) + int(status.rsplit(" ", 1)[-1])
        return kept

    async def compare(self) -> list[Compared]:
        """Every view beside its copy, row by row and column by column."""
        raw = await self._work.raw()
        found = []
        for shape in await raw.fetch(_COLUMNS):
            view = shape["view"]
            rows = await raw.fetch(
                _compare_statement(view, list(shape["columns"]), list(shape["key"])), timeout=COMPARISON_S
            )
            counts = {row["kind"]: row["count"] for row in rows}
            found.append(
                Compared(
                    view,
                    await raw.fetchval(
                        f"SELECT count(*) FROM shadow.{view}{_shown(view)}", timeout=COMPARISON_S
                    ),
                    counts.get("only_served", 0),
                    counts.get("only_rebuilt", 0),
                    counts.get("different", 0),
                    tuple(f"{row['kind']}: {' | '.join(row['key'])}" for row in rows),
                )
            )
        return found

    async def exchange(self) -> None:
        """Put the copy in the place of the views. Raises where a reader holds one of them for too long."""
        raw = await self._work.raw()
        await raw.execute(f"SET LOCAL lock_timeout = '{EXCHANGE_PATIENCE}'")
        await raw.execute("SELECT exchange_views()")
        views = [row["view"] for row in await raw.fetch(_COLUMNS)]
        await raw.execute("SELECT pg_notify($1, $2)", CHANNEL, ",".join(views))


def _keep_statement(origin: Origin, columns: list[str], key: list[str]) -> str:
    changed = [name for name in columns if name not in key]
    becomes = f"({', '.join(changed)}) = ROW({', '.join(f'excluded.{name}' for name in changed)})"
    if not origin.folded:
        becomes = f"{origin.offset} = excluded.{origin.offset}"
    of_service = "" if origin.service is None else f" AND o.service = '{origin.service}'"
    return (
        f"INSERT INTO shadow.{origin.view} ({', '.join(columns)}) SELECT {', '.join(f'o.{name}' for name in columns)} "
        f"FROM public.{origin.view} o JOIN unnest($1::integer[], $2::bigint[]) AS e(number, first) "
        f"ON o.{origin.partition} = e.number AND o.{origin.offset} < e.first{of_service} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {becomes}"
    )


def _shown(view: str) -> str:
    return f" WHERE {_SHOWN[view]}" if view in _SHOWN else ""


def _compare_statement(view: str, columns: list[str], key: list[str]) -> str:
    shown = _shown(view)

    def row(table: str) -> str:
        return f"ROW({', '.join(f'{table}.{name}' for name in columns)})"

    both = ", ".join(f"coalesce(o.{name}, n.{name})::text" for name in key)
    return (
        "WITH differing AS (SELECT CASE "
        f"WHEN n.{key[0]} IS NULL THEN 'only_served' WHEN o.{key[0]} IS NULL THEN 'only_rebuilt' ELSE 'different' END AS kind, "
        f"ARRAY[{both}] AS key FROM (SELECT * FROM public.{view}{shown}) o FULL JOIN (SELECT * FROM shadow.{view}{shown}) n "
        f"ON {' AND '.join(f'o.{name} = n.{name}' for name in key)} WHERE {row('o')} IS DISTINCT FROM {row('n')}) "
        "SELECT kind, key, count FROM (SELECT kind, key, count(*) OVER (PARTITION BY kind) AS count, "
        "row_number() OVER (PARTITION BY kind ORDER BY key) AS number FROM differing) AS d "
        f"WHERE number <= {EXAMPLES} ORDER BY kind, key"
    )
