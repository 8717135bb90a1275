"""How often something may be tried: counted in PostgreSQL (plumbline/db/rate_limits.py)."""

from app.core.config import settings
from app.db.models import AttemptCount
from app.db.session import AsyncSessionFactory, ReadSessionFactory
from plumbline.db.rate_limits import RateLimit, RateLimits

attempts = RateLimits(AttemptCount, AsyncSessionFactory, ReadSessionFactory)


def limit(name: str, key: str, allowed: int) -> RateLimit:
    """So many of `name` by `key` in LIMIT_WINDOW_SECONDS; 0: no limit."""
    return RateLimit(name, key, allowed, settings.LIMIT_WINDOW_SECONDS)
