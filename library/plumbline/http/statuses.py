"""The problems that HTTP's statuses stand for: codes and titles of our own, by number.

Python's own names for them change between its versions (413, 414, 416 and 422 did in 3.13), and a
problem's `type` is what programs compare. New ones may be added; none may be changed.
"""

# By status: code, title, and what a caller can do about it.
STATUSES: dict[int, tuple[str, str, str]] = {
    400: ("bad-request", "Bad Request", "The request could not be read."),
    401: ("unauthenticated", "A valid access token is required", "Send an access token."),
    403: ("forbidden", "This is not allowed", "You may not do this."),
    404: ("not-found", "Not Found", "There is no such route."),
    405: (
        "method-not-allowed",
        "Method Not Allowed",
        "The header Allow lists the methods of this route.",
    ),
    406: ("not-acceptable", "Not Acceptable", "This service answers with application/json."),
    408: ("request-timeout", "Request Timeout", "The request did not come whole in time."),
    409: ("conflict", "Conflict", "The request contradicts what is stored."),
    410: ("gone", "Gone", "It is no longer there, and will not come back."),
    411: ("length-required", "Length Required", "Send the header Content-Length."),
    412: ("precondition-failed", "Precondition Failed", "A condition of the request is not met."),
    413: (
        "content-too-large",
        "Content Too Large",
        "The body is larger than this service accepts.",
    ),
    414: ("uri-too-long", "URI Too Long", "The address is longer than this service accepts."),
    415: (
        "unsupported-media-type",
        "Unsupported Media Type",
        "Send the body as application/json, with this Content-Type.",
    ),
    416: ("range-not-satisfiable", "Range Not Satisfiable", "There is no such range."),
    417: ("expectation-failed", "Expectation Failed", "The header Expect cannot be met."),
    421: (
        "misdirected-request",
        "Misdirected Request",
        "This service does not answer for the host that was asked.",
    ),
    422: ("invalid", "The request has invalid values", "A value is not acceptable."),
    423: ("locked", "Locked", "Somebody else works on it."),
    425: ("too-early", "Too Early", "Send the request again."),
    426: ("upgrade-required", "Upgrade Required", "Use another version of the protocol."),
    428: ("precondition-required", "Say which version you change", "Send the header If-Match."),
    429: ("too-many-requests", "Too many attempts", "Wait before you try again."),
    431: (
        "request-header-fields-too-large",
        "Request Header Fields Too Large",
        "Send a shorter head, or fewer header lines.",
    ),
    451: ("unavailable-for-legal-reasons", "Unavailable For Legal Reasons", "It may not be shown."),
    500: (
        "internal-server-error",
        "Internal Server Error",
        "This is a defect of the service; nothing was stored. Report it with the request_id.",
    ),
    501: ("not-implemented", "Not Implemented", "This service cannot do this."),
    502: ("bad-gateway", "Bad Gateway", "Another service did not answer as it should."),
    503: ("unavailable", "The service cannot answer right now", "Try again in a moment."),
    504: ("gateway-timeout", "Gateway Timeout", "Another service did not answer in time."),
    505: ("http-version-not-supported", "HTTP Version Not Supported", "Use HTTP/1.1."),
}


def describe_status(status: int) -> tuple[str, str, str]:
    """Code, title and detail; for a number that nobody has thought of, from the number."""
    name = f"HTTP status {int(status)}"
    return STATUSES.get(status) or (f"http-{int(status)}", name, f"{name}.")
