"""Whether the database can be used as it is."""

from sqlalchemy import text

from app.db import migrate
from app.db.failures import DATABASE_ERRORS, explain
from app.db.session import engine


async def find_obstacle() -> str | None:
    """Why the database cannot be used, as one line that says what to do; None when it can."""
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            current = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DATABASE_ERRORS as error:
        return explain(error)
    needed = migrate.head_revision()
    if current == needed:
        return None
    return f"the database is at revision {current}, not {needed}: run `app db upgrade`"
