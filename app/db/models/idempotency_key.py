"""Answers to requests that carried an Idempotency-Key: see http/idempotency.py."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    # Made of the key and who sent it; neither can be read from it.
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    # Of the request: method, path, query, body.
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Status, headers and body, encrypted with the key: answers to log-ins hold access tokens.
    answer: Mapped[bytes]
    expires_at: Mapped[datetime] = mapped_column(index=True)
