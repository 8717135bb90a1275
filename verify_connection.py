"""Print the version of the server behind DATABASE_URL."""

import asyncio
import sys

from sqlalchemy import text

from app.db.session import engine
from plumbline.db.errors import DATABASE_ERRORS, explain


async def check() -> None:
    try:
        async with engine.connect() as connection:
            print(await connection.scalar(text("SELECT version()")))
    except DATABASE_ERRORS as error:
        sys.exit(explain(error))
    finally:
        await engine.dispose()


if __name__ == "__main__":
    asyncio.run(check())
