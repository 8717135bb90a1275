"""How data is stored. Without its driver nothing of it can be imported."""

try:
    import asyncpg  # noqa: F401
except ModuleNotFoundError:
    raise SystemExit("asyncpg is not installed: pip install asyncpg") from None

from plumbline.late_rich import import_structlog

import_structlog()
