"""Alembic's way into this service's history."""

from shared.migrating import run_environment

run_environment()
