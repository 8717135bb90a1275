"""Every model, imported here so that `Base.metadata` and the mappers know all tables."""

from app.db.models.access_token import AccessToken
from app.db.models.attempt_count import AttemptCount
from app.db.models.audit_event import AuditEvent
from app.db.models.idempotency_key import IdempotencyKey
from app.db.models.known_network import KnownNetwork
from app.db.models.post import Post
from app.db.models.user import User

__all__ = [
    "AccessToken",
    "AttemptCount",
    "AuditEvent",
    "IdempotencyKey",
    "KnownNetwork",
    "Post",
    "User",
]
