"""Create all tables at once, for throw-away databases: `python -m app.db.init_db`.

Everything else is migrated: `app db upgrade`.
"""

import asyncio
import sys

from app.core.config import settings
from app.db.base import Base
from app.db.schema import migrations
from app.db.session import engine
from plumbline.db.errors import DATABASE_ERRORS, explain
from plumbline.errors import OperatorError


async def create_tables() -> None:
    """Create the tables that are missing, and record that the schema is the newest."""
    if settings.ENVIRONMENT == "production":
        raise OperatorError("ENVIRONMENT is production: run `app db upgrade` instead")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
    except DATABASE_ERRORS as error:
        raise OperatorError(explain(error)) from error
    finally:
        await engine.dispose()
    migrations.stamp()


if __name__ == "__main__":
    try:
        asyncio.run(create_tables())
    except OperatorError as error:
        sys.exit(str(error))
    print("The tables exist.")
