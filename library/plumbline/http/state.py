"""What is known of one request while it runs: one typed object, found in its ASGI scope."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fastapi import Response
from starlette.types import Scope

if TYPE_CHECKING:
    from plumbline.http.conditional_requests import Conditions

STATE = "plumbline"  # in the ASGI scope; read it with `state_of`


class Principal(Protocol):
    """Who asks, as the service knows them."""

    @property
    def id(self) -> int: ...


@dataclass(slots=True)
class RequestState:
    """Of one attempt: a request that is run again has a new one.

    The service's authentication sets `principal`; every other field is set by the module that its
    comment names.
    """

    body: bytes | None = None  # whole; None: not read yet (load_shedding.py)
    attempts_left: int = 0  # how often it may be run again after this attempt (load_shedding.py)
    is_first_attempt: bool = True  # (load_shedding.py)
    is_to_run_again: bool = False  # nothing was stored, for a reason that passes (problems.py)
    principal: Principal | None = None
    conditions: "Conditions | None" = None  # If-Match and If-None-Match (routing.py)
    keep: Callable[[Response], Awaitable[None]] | None = None  # store the answer (idempotency.py)


def state_of(scope: Scope) -> RequestState:
    """The state of the request; made where nobody has asked for it before."""
    try:
        state: RequestState = scope[STATE]
    except KeyError:
        state = scope[STATE] = RequestState()
    return state
