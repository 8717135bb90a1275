"""The test suites of asyncpg and SQLAlchemy, with our classes in place of theirs."""
