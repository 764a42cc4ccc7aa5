"""The routes: each makes a command from path and body and hands it on, or reads a list."""

from __future__ import annotations

from typing import Final

from services.claims.entrypoints.http import cases, customers, plans, windows

ROUTERS: Final = (customers.router, plans.router, windows.router, cases.router)
