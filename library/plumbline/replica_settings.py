"""Settings of read replicas (db/replicas.py)."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from plumbline.setting_values import normalise_optional_url


class ReplicaSettings(BaseSettings):
    """Of the servers that DATABASE_URL is copied to; DatabaseSettings has them."""

    DATABASE_READ_URL: Annotated[str, AfterValidator(normalise_optional_url)] = Field(
        default="",
        repr=False,
        description="Read replicas of DATABASE_URL: postgresql://user:pass@/app?host=a:5432"
        "&host=b:5432; empty: none.",
    )
    DB_READ_MAX_LAG_SECONDS: float = Field(
        default=1,
        gt=0,
        le=60,
        description="A replica that is further behind is not read from.",
    )
    DB_PGBOUNCER_PREPARES: bool = Field(
        default=False,
        description="DB_PGBOUNCER is 1.21 or later: with max_prepared_statements it prepares.",
    )
