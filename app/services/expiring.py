"""Which rows expire; a process removes them in the background (plumbline/db/sweeping.py)."""

from sqlalchemy import func

from app.db.models import AccessToken, AttemptCount, IdempotencyKey
from app.services.callers import idle_since
from plumbline.db.sweeping import Expiring


def expiring() -> list[Expiring]:
    return [
        Expiring(AttemptCount.bucket, AttemptCount.ends_at <= func.now()),
        Expiring(IdempotencyKey.digest, IdempotencyKey.expires_at <= func.now()),
        Expiring(AccessToken.id, AccessToken.expires_at <= func.now()),
        Expiring(AccessToken.id, AccessToken.last_used_at <= idle_since()),
    ]
