"""Until the HTTP part takes them as arguments."""

from app.core.config import settings
from app.db.models import IdempotencyKey
from app.db.session import ReadSessionFactory, engine
from plumbline.db import migrate
from plumbline.db.idempotency import KeptAnswers
from plumbline.db.readiness import Readiness

readiness = Readiness(engine, settings, migrate)
kept = KeptAnswers(IdempotencyKey, ReadSessionFactory, settings.IDEMPOTENCY_SECONDS)
