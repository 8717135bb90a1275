"""What every model should have: named constraints, types that fit PostgreSQL, timestamps."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, func
from sqlalchemy.orm import Mapped, mapped_column

# A constraint without a name cannot be dropped by a migration, nor told from others in an error.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# For the `type_annotation_map` of a service's Base.
TYPES: dict[Any, Any] = {int: BigInteger, datetime: DateTime(timezone=True)}


class Timestamps:
    """By PostgreSQL's clock; `updated_at` is None until the first change."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), onupdate=func.now()
    )

    # Without it updated_at is expired after an UPDATE, and reading it is a MissingGreenlet error.
    __mapper_args__: Any = {"eager_defaults": True}  # noqa: RUF012 - SQLAlchemy's own type
