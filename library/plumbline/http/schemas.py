"""What every request and response body shares, and how a number in a URL is written."""

import re
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict

# PostgreSQL's bigint: a larger number is a wrong one, and the driver would raise for it.
MAX_ID = 2**63 - 1

_NUMBER = re.compile("[1-9][0-9]{0,18}")


def _number(value: object) -> object:
    """One number has one spelling: Python's int() reads ` 1`, `01`, `+1`, `1_0` and other digits.

    A line feed before an id would come back in a header that repeats the path.
    """
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a number from 1 on, written in digits alone")
    return value


# For every number in a path or a query: Annotated[int, Query(ge=1, le=MAX_ID), Number].
Number = BeforeValidator(_number)

UserId = Annotated[int, Path(ge=1, le=MAX_ID), Number]
PostId = Annotated[int, Path(ge=1, le=MAX_ID), Number]
TokenId = Annotated[int, Path(ge=1, le=MAX_ID), Number]


class Payload(BaseModel):
    """A request body: a field that we do not know is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """A response body, read from a model's attributes: what is not declared is not sent."""

    model_config = ConfigDict(from_attributes=True)
