"""Create all tables at once, for throw-away databases: `python -m app.db.init_db`.

Everything else is migrated: `app db upgrade`.
"""

import asyncio
import sys

from app.db.schema import migrations
from app.db.session import engine
from plumbline.errors import OperatorError


async def create_tables() -> None:
    """Create the tables that are missing, and record that the schema is the newest."""
    try:
        await migrations.create_tables(engine)
    finally:
        await engine.dispose()


if __name__ == "__main__":
    try:
        asyncio.run(create_tables())
    except OperatorError as error:
        sys.exit(str(error))
    print("The tables exist.")
