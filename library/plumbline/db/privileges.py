"""What the role of this service may do, of which only the database knows."""

import structlog
from sqlalchemy import text

from app.core.config import settings
from app.db.session import engine
from plumbline.db.errors import DATABASE_ERRORS

log = structlog.stdlib.get_logger(__name__)

_RIGHTS = text(
    "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), "
    "has_any_column_privilege('audit_events', 'UPDATE') "
    "OR has_table_privilege('audit_events', 'DELETE, TRUNCATE')"
)
_is_told = False


async def warn_of_rights() -> None:
    """Once a process, in production: a line for each right that the service should not have.

    To be called when the database is known to be ready; what fails is tried again the next time.
    """
    global _is_told  # noqa: PLW0603 - once a process
    if _is_told or settings.ENVIRONMENT != "production":
        return
    try:
        async with engine.control.connect() as connection:
            is_superuser, may_change = (await connection.execute(_RIGHTS)).one()
    except DATABASE_ERRORS:
        return
    _is_told = True
    if is_superuser:
        log.warning("DATABASE_URL: its role is a superuser; a hole here would be one in all of it")
    elif may_change:
        log.warning("DATABASE_URL: its role may change the audit; serve as DB_APPLICATION_ROLE")
