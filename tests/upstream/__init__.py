"""The test suites of asyncpg and SQLAlchemy, with our connection and pool in place of theirs."""
