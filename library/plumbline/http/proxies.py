"""Notices a proxy in front that TRUSTED_PROXIES does not name."""

import structlog
from starlette.datastructures import Headers

from app.core.config import settings
from plumbline.setting_values import parse_networks

log = structlog.stdlib.get_logger(__name__)

TELLING = ("x-forwarded-for", "forwarded", "x-real-ip")
LOOKS = 1_000  # a proxy shows itself in the first requests; later ones are not looked through

_is_exposed = settings.ENVIRONMENT == "production"
looks_left = LOOKS if _is_exposed and not parse_networks(settings.TRUSTED_PROXIES) else 0


def look_for_proxy(headers: Headers) -> None:
    """One warning a process: without TRUSTED_PROXIES all callers behind a proxy share one limit."""
    global looks_left  # noqa: PLW0603 - counts down once a process
    looks_left -= 1
    if any(name in headers for name in TELLING):
        looks_left = 0
        log.warning(
            "TRUSTED_PROXIES: is empty, but a proxy says for whom it asks; name its network, or "
            "all callers share one limit"
        )
