"""Settings."""

from pydantic import Field

import plumbline


class Settings(plumbline.Settings):
    ORDERS_PER_DAY: int = Field(default=100, ge=1, description="Of one customer.")


settings = plumbline.load_settings(Settings)
