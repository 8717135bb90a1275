"""Settings of how many requests are worked on at once (http/admission.py)."""

from pydantic import Field
from pydantic_settings import BaseSettings


class AdmissionSettings(BaseSettings):
    """Of what a process takes on; HttpSettings has them."""

    MAX_RUNNING_REQUESTS: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Requests worked on at once; more wait for their turn.",
    )
    ADMISSION_TIMEOUT_SECONDS: float = Field(
        default=1,
        ge=0,
        le=60,
        description="How long they wait, and get a 503 then; 0: not at all. It is longer where "
        "more than a thousand wait.",
    )
    MAX_UPLOADS: int = Field(
        default=16,
        ge=1,
        le=100_000,
        description="Uploads at once, beside others; more wait as long.",
    )
