"""Tiers over HTTP: a customer's tier with its evidence (TIE-15), and the feed of tier changes."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.tiering.adapters import read_models
from services.tiering.domain.account import Account
from services.tiering.domain.explanation import NextLevel, explain
from services.tiering.domain.refusals import BadFeedCursor, UnknownCustomer, UnknownScheme
from services.tiering.domain.scheme import Scheme, SchemeVersion
from services.tiering.domain.standing import Standing
from services.tiering.entrypoints.answers import (
    CustomerTiers,
    NextLevelAnswer,
    TierAnswer,
    TierChangePage,
    TierEvidence,
    TierName,
    iso,
)
from services.tiering.entrypoints.sentences import lines_notice, merge_notice, sentences, tier_name
from shared.auth.http import Caller, require
from shared.auth.policy import lines_shown
from shared.clock import Clock, business_date
from shared.contracts.tiering_v1 import structured_change
from shared.http_fields import StatedDay
from shared.kernel.lines import LINES
from shared.money import format_yuan
from shared.problems import Problem
from shared.scope import reading
from shared.texts import Language, language_of

EVIDENCE_MAX = 100


def routes(engine: AsyncEngine, clock: Clock, schemes: tuple[Scheme, ...]) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["tiers"])

    @router.get("/customers/{code:path}/tiers")
    async def customer_tiers(
        request: Request,
        caller: Caller,
        code: str,
        scheme: str | None = None,
        as_of: StatedDay | None = None,
        explain: bool = False,
    ) -> CustomerTiers:
        """A customer's tier under each scheme, since when and why; with `explain` the transactions behind it. A merged
        customer's code is answered for its survivor, and `notice` says so."""
        require(caller, "evidence.read" if explain else "tiers.read")
        language = language_of(request.headers.get("accept-language"))
        wanted = [one for one in schemes if scheme in (None, one.code)]
        if not wanted:
            raise Problem(UnknownScheme(scheme or ""))
        async with reading(engine, caller, "tiers.read") as connection:
            meant = await read_models.account_of(connection, code)
            if meant is None:
                raise Problem(UnknownCustomer(code))
            account = meant.account
            parts = await read_models.parts_of(connection, account.number)
            closes = await read_models.closes(connection)
            started = [close.year for close in closes if close.closed_at is not None]
            today = business_date(clock.now())
            shown = lines_shown(caller, "tiers.read", account.unit_path)
            teller = _Teller(connection, account, parts, max(started, default=None), today, language, shown)
            tiers = []
            for one in wanted:
                tiers.append(await teller.tier(one, as_of, explain))
        return {
            "asked_code": code,
            "customer_code": account.code,
            "notice": merge_notice(meant.path, language),
            "aliases": [alias for number, alias in parts.items() if number != account.number],
            "unit_code": account.unit_code,
            "status": account.status.value,
            "as_of": (as_of or today).isoformat(),
            "tiers": [tier for tier in tiers if tier is not None],
        }

    @router.get("/tier-changes")
    async def tier_changes(
        caller: Caller,
        after: Annotated[
            str, Query(description="The cursor of the last page; empty begins at the beginning.")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        customer_code: str | None = None,
        scheme: str | None = None,
    ) -> TierChangePage:
        """Every tier change as a structured CloudEvent, in order: the feed for subscribers without Kafka. At least once;
        keep the highest `version` seen of each customer and scheme and you are always right."""
        require(caller, "tiers.read")
        position = _cursor(after)
        async with reading(engine, caller, "tiers.read") as connection:
            found = await read_models.feed(connection, position, limit, customer_code, scheme)
        return {
            "items": [structured_change(json.loads(row["event"]), row["traceparent"]) for row in found],
            "next": str(found[-1]["number"]) if found else str(position),
            "more": len(found) == limit,
        }

    return router


def _cursor(after: str) -> int:
    if not after:
        return 0
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise Problem(BadFeedCursor())
    return int(after)


class _Teller:
    """Tells one account's tiers, in one transaction and one language."""

    def __init__(
        self,
        connection: AsyncConnection,
        account: Account,
        parts: dict[int, str],
        last_closed: int | None,
        today: date,
        language: Language,
        lines: frozenset[str] | None,
    ) -> None:
        self._connection = connection
        self._account = account
        self._parts = parts
        self._last_closed = last_closed
        self._today = today
        self._language = language
        self._lines = lines
        """The lines that the caller sees; None means all of them."""

    def _sees_all_of(self, version: SchemeVersion) -> bool:
        """Whether the caller sees every line that a scheme counts. A total of some of them is none of the scheme's, so that
        whoever sees no more is told the tier without it."""
        return self._lines is None or self._lines >= {LINES[line] for line in version.lines}

    async def tier(self, scheme: Scheme, as_of: date | None, with_evidence: bool) -> TierAnswer | None:
        version = scheme.on(as_of or self._today)
        if version is None:
            return None
        standing = self._account.standings.get(scheme.code, Standing())
        if as_of is not None and as_of < self._today:
            return await self._past(version, as_of)
        explanation = explain(version, standing, self._account, self._last_closed, self._today)
        whole = self._sees_all_of(version)
        ahead = explanation.next_level if whole else None
        names = self._names(version, standing.tier)
        told: TierAnswer = {
            "scheme": names["scheme"],
            "scheme_version": names["scheme_version"],
            "tier": names["tier"],
            "tier_name": names["tier_name"],
            "version": standing.version,
            "since": iso(standing.effective_on),
            "reason": standing.last_move.reason.value if standing.last_move else None,
            "key_account": standing.key_account(version),
            "agreement": {
                "needed": version.needs_agreement,
                "in_force": standing.cover.in_force,
                "signed_on": iso(standing.cover.signed_on),
                "ended_on": iso(standing.cover.ended_on),
            },
            "totals": {str(year): format_yuan(fen) for year, fen in explanation.totals_fen.items()}
            if whole
            else {},
            "revenue_basis": version.basis_en if self._language == "en" else version.basis_zh,
            "next_level": None if ahead is None else self._ahead(version, ahead),
            "explanation": sentences(version, standing, explanation, self._language)
            if whole
            else [lines_notice(self._language)],
        }
        if with_evidence:
            told["evidence"] = await self._evidence(version, standing)
        return told

    def _names(self, version: SchemeVersion, tier: int) -> TierName:
        return {
            "scheme": version.scheme,
            "scheme_version": version.version,
            "tier": version.tier_code(tier),
            "tier_name": tier_name(version, tier, self._language),
        }

    def _ahead(self, version: SchemeVersion, ahead: NextLevel) -> NextLevelAnswer:
        return {
            **self._names(version, ahead.tier),
            "threshold": format_yuan(ahead.threshold_fen),
            "missing": format_yuan(ahead.missing_fen),
            "year": ahead.year,
        }

    async def _past(self, version: SchemeVersion, as_of: date) -> TierAnswer:
        """The tier in effect on a past day: `effective_on` never falls from version to version."""
        changes = await read_models.changes_of(self._connection, self._account.number, version.scheme, as_of)
        last = changes[-1] if changes else None
        codes = [version.tier_code(tier) for tier in range(len(version.levels) + 1)]
        tier = codes.index(last["to_tier"]) if last else 0
        names = self._names(version, tier)
        return {
            "scheme": names["scheme"],
            "scheme_version": names["scheme_version"],
            "tier": names["tier"],
            "tier_name": names["tier_name"],
            "version": last["version"] if last else 0,
            "since": last["effective_on"] if last else None,
            "reason": last["reason"] if last else None,
            "change": last,
        }

    async def _evidence(self, version: SchemeVersion, standing: Standing) -> TierEvidence:
        """The changes that led here, and the bookings that the deciding year's total rests on, the latest 100."""
        move = standing.last_move
        year = move.year if move else self._today.year
        count, bookings = await read_models.bookings_of(
            self._connection, self._parts, year, version.lines, EVIDENCE_MAX
        )
        total = version.total_of(self._account.totals[year]) if year in self._account.totals else 0
        late = await read_models.late_fen(self._connection, self._account.number, year, version.lines)
        whole = self._sees_all_of(version)
        closed = whole and self._last_closed is not None and year <= self._last_closed
        return {
            "year": year,
            "total_now": format_yuan(total) if whole else None,
            "total_at_close": format_yuan(total - late) if closed else None,
            "booked_since_close": format_yuan(late) if closed else None,
            "thresholds": {
                version.tier_code(tier): format_yuan(fen)
                for tier, fen in enumerate(version.thresholds(self._account.city_group), start=1)
            },
            "changes": await read_models.changes_of(self._connection, self._account.number, version.scheme),
            "bookings": count,
            "latest_bookings": [
                {
                    "seq": row["seq"],
                    "source": row["source"],
                    "id": row["id"],
                    "customer_code": row["customer_code"],
                    "booked_for": self._parts[row["account"]],
                    "line": LINES[row["line"]],
                    "kind": row["kind"],
                    "business_date": row["business_date"].isoformat(),
                    "amount": format_yuan(abs(row["amount_fen"])),
                    "counter_id": row["counter_id"],
                    "late": row["late"],
                    "booked_at": row["booked_at"].isoformat(),
                }
                for row in bookings
            ],
        }
