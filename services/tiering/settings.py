"""Settings of tiering beside those that every service shares."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class TieringSettings(ServiceSettings):
    """`KEYPOST_…`: defaults are those of the rule books where they name one (TIE-3, TIE-4, TIE-9)."""

    batch_records: int = Field(default=5000, ge=1, le=10_000)
    """Transactions a batch at most; the size never shows in the result (TIE-24)."""
    remembered_accounts: int = Field(default=200_000, ge=0)
    future_days: int = Field(default=2, ge=0)
    correction_horizon_years: int = Field(default=2, ge=0)
    reversal_wait_days: int = Field(default=35, ge=1)
    year_close_month: int = Field(default=1, ge=1, le=12)
    year_close_day: int = Field(default=6, ge=1, le=28)
    """The automatic close: 00:00 Asia/Shanghai of this day of the next year, after the import deadline of the 5th."""
