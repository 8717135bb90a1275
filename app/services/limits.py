"""How often something may be tried: counted in PostgreSQL (plumbline/db/rate_limits.py)."""

from app.core.config import settings
from app.db.models import AttemptCount
from app.db.session import AsyncSessionFactory, ReadSessionFactory
from plumbline.db.rate_limits import RateLimits

attempts = RateLimits(AttemptCount, AsyncSessionFactory, ReadSessionFactory, settings)
limit = attempts.limit
