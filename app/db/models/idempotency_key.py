"""Answers to requests that carried an Idempotency-Key."""

from app.db.base import Base
from plumbline.db.idempotency import IdempotencyKeyColumns


class IdempotencyKey(IdempotencyKeyColumns, Base):
    __tablename__ = "idempotency_keys"
