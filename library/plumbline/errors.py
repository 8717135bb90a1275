"""What can go wrong, as the caller is told it.

AppError               becomes a problem document (RFC 9457) or one line on a terminal
├── Malformed      400 it cannot be read as HTTP says
├── Invalid        422 the request is understood but a value in it is not acceptable
├── Unauthenticated 401 no valid token
├── Forbidden      403 a valid token, but not for this
├── NotFound       404
├── Conflict       409 the database already holds something that contradicts it
├── Stale          412 If-Match names a version that is no longer the current one
├── PreconditionFailed 412 If-None-Match names what is there
├── PreconditionRequired 428 If-Match is missing
├── TooManyRequests 429 guessing is limited
├── Unavailable    503 nothing is wrong with the request, nothing was stored: try again
│   └── Outdated       who asks has changed meanwhile: the request is run again
└── OutcomeUnknown 503 it may have been stored or not: repeat it only with its Idempotency-Key
OperatorError          the person who runs the service must act; one line says how
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: where it stands, a stable code for programs, a sentence for people."""

    field: str
    code: str
    message: str


class AppError(Exception):
    """A failure whose text may be shown to its caller: never put input or SQL into `detail`.

    `status` is HTTP's number for the kind; `code` names the kind in `/problems/<code>`.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds


class Malformed(AppError):
    """It cannot be read as HTTP or JSON says."""

    status = 400
    code = "bad-request"
    title = "Bad Request"


class Invalid(AppError):
    """It was understood, but a value in it is not acceptable; `errors` names the fields."""

    status = 422
    code = "invalid"
    title = "The request has invalid values"


class Unauthenticated(AppError):
    """There is no valid token; the answer says how to authenticate."""

    status = 401
    code = "unauthenticated"
    title = "A valid access token is required"


class Forbidden(AppError):
    """There is a valid token, but not for this."""

    status = 403
    code = "forbidden"
    title = "This is not allowed"


class NotFound(AppError):
    """It is not there, or is not to be known by who asks."""

    status = 404
    code = "not-found"
    title = "There is no such thing"


class Conflict(AppError):
    """The database already holds something that contradicts it."""

    status = 409
    code = "conflict"
    title = "The request contradicts what is stored"


class Stale(AppError):
    """If-Match names a version that is no longer the current one, or somebody was faster."""

    status = 412
    code = "stale"
    title = "It has changed since you read it"


class PreconditionFailed(AppError):
    """If-None-Match names what is there."""

    status = 412
    code = "precondition-failed"
    title = "It exists, and the request says that it must not"


class PreconditionRequired(AppError):
    """If-Match is missing."""

    status = 428
    code = "precondition-required"
    title = "Say which version you change"


class TooManyRequests(AppError):
    """`policy` allows `allowed` attempts in a window of `window_seconds`."""

    status = 429
    code = "too-many-requests"
    title = "Too many attempts"

    def __init__(
        self, policy: str, allowed: int, window_seconds: int, retry_after_seconds: int
    ) -> None:
        detail = f"Wait {retry_after_seconds} seconds before you try again."
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.policy = policy
        self.allowed = allowed
        self.window_seconds = window_seconds


class Unavailable(AppError):
    """Nothing is wrong with the request, and nothing was stored: try again."""

    status = 503
    code = "unavailable"
    title = "The service cannot answer right now"


class Outdated(Unavailable):
    """What was known of the caller when the request began holds no more; nothing was stored."""

    def __init__(self) -> None:
        super().__init__("Your account changes at this moment.", retry_after_seconds=1)


class OutcomeUnknown(AppError):
    """It may have been stored or not: repeat it only with its Idempotency-Key."""

    status = 503
    code = "outcome-unknown"
    title = "It is not known whether this was stored"

    def __init__(self) -> None:
        super().__init__(
            "The database was lost while it stored this. Send the request again with the same "
            "Idempotency-Key; if it had none, look first whether it was stored.",
            retry_after_seconds=1,
        )


def errors_in(error: Exception) -> Iterator[Exception]:
    """The error; of a group, such as an asyncio.TaskGroup raises, those in it."""
    if not isinstance(error, ExceptionGroup):
        yield error
        return
    for each in error.exceptions:
        yield from errors_in(each)


class OperatorError(Exception):
    """Wrong setting, no database, port in use: the message is one line that says what to do."""
