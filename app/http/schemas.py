"""What every request and response body shares."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict

# PostgreSQL's bigint: a larger number is a wrong one, and the driver would raise for it.
MAX_ID = 2**63 - 1
UserId = Annotated[int, Path(ge=1, le=MAX_ID)]
PostId = Annotated[int, Path(ge=1, le=MAX_ID)]


class Payload(BaseModel):
    """A request body: a field that we do not know is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """A response body, read from a model's attributes: what is not declared is not sent."""

    model_config = ConfigDict(from_attributes=True)
