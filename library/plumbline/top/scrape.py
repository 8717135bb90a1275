"""What a service says of itself: its metrics, and who holds its connections."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
)

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 2.0
MOST_BYTES = 64 * 2**20
NEEDED = "db_pool_size"  # what only a service of the library has

Series = tuple[str, frozenset[tuple[str, str]]]  # the name of a sample, and its labels


class Unreachable(Exception):
    """Why there are no figures, in one line."""


@dataclass(frozen=True)
class Held:
    """A connection that a route holds; `server_pid` is as in pg_stat_activity."""

    server_pid: int | None
    route: str
    seconds: float


@dataclass(frozen=True)
class Scrape:
    """All samples at one moment (monotonic)."""

    taken_at: float
    samples: Mapping[Series, float]
    held: tuple[Held, ...]


# Follows no redirect: headers may be secrets, for the address that was given and no other. And no
# proxy of the environment, which could not reach this machine's services.
_opener = OpenerDirector()
for _handler in (HTTPHandler(), HTTPSHandler(), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
    _opener.add_handler(_handler)


def scrape(url: str, headers: Mapping[str, str]) -> Scrape:
    """Ask the service at `url`; Unreachable where it does not answer with metrics."""
    address = url.rstrip("/") + "/metrics"
    try:
        text = _get(address, headers).decode()
        families = [*text_string_to_metric_families(text)]
        samples = {
            (each.name, frozenset(each.labels.items())): each.value
            for family in families
            for each in family.samples
        }
    except ValueError:
        raise Unreachable(_refusal(address, "what answers there has no metrics")) from None
    if not any(name == NEEDED for name, _ in samples):
        raise Unreachable(_refusal(address, "it has no metrics of plumbline"))
    return Scrape(time.monotonic(), samples, _held(_get(address + "?holders=1", headers)))


def _held(body: bytes) -> tuple[Held, ...]:
    """Nothing, where the service is older than this program and answers with its metrics."""
    try:
        return tuple(
            Held(each["server_pid"], str(each["route"]), float(each["seconds"]))
            for each in json.loads(body)
        )
    except (ValueError, TypeError, KeyError):
        return ()


def _get(address: str, headers: Mapping[str, str]) -> bytes:
    try:
        request = Request(address, headers=dict(headers))  # noqa: S310 - top.py looks at its scheme
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return bytes(answer.read(MOST_BYTES))
    except HTTPError as error:
        raise Unreachable(_refusal(address, f"it answers {error.code} {error.reason}")) from None
    except URLError as error:
        reason = getattr(error.reason, "strerror", None) or str(error.reason)
        raise Unreachable(_refusal(address, reason)) from None
    except (OSError, HTTPException) as error:
        raise Unreachable(_refusal(address, str(error) or type(error).__name__)) from None


def _refusal(address: str, reason: str) -> str:
    return f"{address}: {reason}; is the service running there? --url names another address"
