"""Schema migrations, run by the service itself as its database's owner, one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, text

from shared.db import create_engine

ROOT: Final = Path(__file__).resolve().parents[1]
MIGRATION_LOCK: Final = 7_305_003


async def upgrade(service: str, owner_url: str, revision: str = "head", scripts: Path | None = None) -> None:
    """Bring the schema to `revision`. Several processes may start this at once: the second waits, then finds nothing
    left to do."""
    config = Config()
    config.set_main_option("script_location", str(scripts or ROOT / "services" / service / "migrations"))
    engine = create_engine(owner_url, f"{service}.migrate", pool_size=2)
    try:
        async with engine.connect() as guard, engine.connect() as connection:
            # The lock is held by a session of its own: a migration commits on its way and must not let go of it.
            await guard.execute(text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
            await guard.commit()
            try:
                await connection.run_sync(_upgrade, config, revision)
                await connection.commit()
            finally:
                await guard.execute(text(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})"))
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, config: Config, revision: str) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def run_script(op: Any, script: str) -> None:
    """Execute the statements of a script, each ended by `;` at the end of a line: the driver takes one a call. `op` is
    Alembic's operations object."""
    for statement in script.split(";\n"):
        if statement.strip():
            op.execute(statement)


def run_environment(target_metadata: Any = None) -> None:
    """The whole body of a service's `migrations/env.py`."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=target_metadata,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
