"""What every model should have: named constraints, types that fit PostgreSQL, timestamps."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from plumbline.db import mapping as _mapping  # noqa: F401 - it listens to each class that is mapped

# A constraint without a name cannot be dropped by a migration, nor told from others in an error.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# For the `type_annotation_map` of a service's Base.
TYPES: dict[Any, Any] = {
    int: BigInteger,
    datetime: DateTime(timezone=True),
    dict: JSONB(none_as_null=True),
    dict[str, Any]: JSONB(none_as_null=True),
    list[str]: ARRAY(Text),
}


class Timestamps:
    """By PostgreSQL's clock; `updated_at` is None until the first change."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), onupdate=func.now()
    )

    # Without it updated_at is expired after an UPDATE, and reading it is a MissingGreenlet error.
    __mapper_args__: Any = {"eager_defaults": True}  # noqa: RUF012 - SQLAlchemy's own type


class Versioned(Timestamps):
    """A version that each change moves, for ETags: also `update()`, which counts it up itself.

    A change that another has overtaken is refused (StaleDataError, a 412).
    """

    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))

    __mapper_args__: Any = {**Timestamps.__mapper_args__, "version_id_col": version}  # noqa: RUF012 - as above
