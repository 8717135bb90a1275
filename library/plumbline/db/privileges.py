"""What the role of a service may do, of which only the database knows."""

from collections.abc import Sequence

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.errors import DATABASE_ERRORS
from plumbline.settings import DatabaseSettings

log = structlog.stdlib.get_logger(__name__)

_RIGHTS = text(
    "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), "
    "ARRAY(SELECT quoted FROM unnest(CAST(:append_only AS text[])) name, LATERAL ("
    "SELECT string_agg(quote_ident(part), '.' ORDER BY place) quoted "
    "FROM unnest(string_to_array(name, '.')) WITH ORDINALITY parts(part, place)) "
    "WHERE has_any_column_privilege(quoted, 'UPDATE') "
    "OR has_table_privilege(quoted, 'DELETE, TRUNCATE'))"
)


class Privileges:
    """Tell of each right that the role of a service has and should not have.

    `control` is an engine in AUTOCOMMIT; `append_only` are tables whose rows nobody changes, as in
    `audit` and `shelf.log`.
    """

    def __init__(
        self, control: AsyncEngine, settings: DatabaseSettings, append_only: Sequence[str] = ()
    ) -> None:
        self._control = control
        self._settings = settings
        self._append_only = list(append_only)
        self._is_told = False

    async def warn(self) -> None:
        """Once, in production: a line in the log.

        To be called when the database is known to be ready; after an error it is asked again the
        next time.
        """
        if self._is_told or self._settings.ENVIRONMENT != "production":
            return
        try:
            async with self._control.connect() as connection:
                result = await connection.execute(_RIGHTS, {"append_only": self._append_only})
                is_superuser, changeable = result.one()
        except DATABASE_ERRORS:
            return
        self._is_told = True
        if is_superuser:
            log.warning(
                "DATABASE_URL: its role is a superuser; a hole here would be one in all of it"
            )
        elif changeable:
            log.warning(
                "DATABASE_URL: its role may change append-only rows; serve as DB_APPLICATION_ROLE",
                tables=changeable,
            )
