"""The database layer and the HTTP edge of a FastAPI + SQLAlchemy service on PostgreSQL."""

from plumbline.settings import Settings

__all__ = ["Settings"]
