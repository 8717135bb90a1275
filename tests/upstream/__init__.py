"""The test suite of asyncpg, with our connection in place of its own."""
