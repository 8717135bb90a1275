"""Settings of what a service tells of itself (docs/telemetry.md)."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class TelemetrySettings(BaseSettings):
    """Of metrics and traces; HttpSettings has them."""

    BUILD_REVISION: str = Field(default="", description="Which build runs (a commit), in /metrics.")
    TRACES: Literal["", "console", "otlp"] = Field(
        default="",
        description="Where traces go: `otlp` to OTEL_EXPORTER_OTLP_ENDPOINT, `console` to standard "
        "error; empty: nowhere.",
    )
    TRACES_RATIO: float = Field(
        default=0.01, ge=0, le=1, description="Which share of the usual requests keeps its trace."
    )
    TRACES_SLOW_SECONDS: float = Field(
        default=1,
        gt=0,
        le=3600,
        description="A request that takes as long keeps its trace, as one that fails does.",
    )
