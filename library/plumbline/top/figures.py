"""Figures of a service: what has changed between two scrapes, a second."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plumbline.top.scrape import Scrape, Series

WINDOW_SECONDS = 10.0
_DURATION = "http_request_duration_seconds"


@dataclass(frozen=True)
class Route:
    """Rates are a second, times in seconds; None: nothing ran. `held`: connections at a time."""

    name: str
    rate: float
    median: float | None
    p99: float | None
    errors: float
    statements: float
    held: float


@dataclass(frozen=True)
class Figures:
    """Of the service as a whole, in sum over its workers."""

    routes: tuple[Route, ...]
    running: float
    refused: float
    retries: float
    lag: float | None  # of the event loop: 99 % were less
    in_use: float
    waiting: float
    size: float
    timeouts: float

    @property
    def rate(self) -> float:
        """Of all routes."""
        return sum(each.rate for each in self.routes)

    @property
    def errors(self) -> float:
        """Of all routes."""
        return sum(each.errors for each in self.routes)


class Window:
    """The scrapes of the last ten seconds: single ones would make figures jump."""

    def __init__(self) -> None:
        self._scrapes: deque[Scrape] = deque()

    def add(self, scrape: Scrape) -> None:
        """The newest; those that are too old go."""
        while self._scrapes and scrape.taken_at - self._scrapes[0].taken_at > WINDOW_SECONDS:
            self._scrapes.popleft()
        self._scrapes.append(scrape)

    def clear(self) -> None:
        """The service is gone, or another one."""
        self._scrapes.clear()

    def figures(self) -> Figures | None:
        """None before there are two scrapes."""
        if len(self._scrapes) < 2:  # noqa: PLR2004 - to compare
            return None
        return figures(self._scrapes[0], self._scrapes[-1])


def figures(before: Scrape, now: Scrape) -> Figures:
    """Compare them."""
    grown = _Grown(before, now)

    def gauge(name: str) -> float:
        return sum(value for (each, _), value in now.samples.items() if each == name)

    return Figures(
        routes=tuple(sorted(_routes(grown), key=lambda route: -route.rate)),
        running=gauge("http_requests_running"),
        refused=grown.rate("http_requests_refused_total"),
        retries=grown.rate("http_requests_retried_total"),
        lag=quantile(0.99, grown.buckets("event_loop_lag_seconds")),
        in_use=gauge("db_pool_in_use"),
        waiting=gauge("db_pool_waiting"),
        size=gauge("db_pool_size"),
        timeouts=grown.rate("db_pool_timeouts_total"),
    )


class _Grown:
    """By how much each counter has grown; one that fell began again at 0, with its process."""

    def __init__(self, before: Scrape, now: Scrape) -> None:
        self.seconds = now.taken_at - before.taken_at
        self._by_name: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for series, value in now.samples.items():
            name, labels = series
            self._by_name[name].append((dict(labels), _growth(before.samples, series, value)))

    def of(self, name: str, **wanted: str) -> Iterator[tuple[dict[str, str], float]]:
        for labels, value in self._by_name.get(name, ()):
            if wanted.items() <= labels.items():
                yield labels, value

    def rate(self, name: str, **wanted: str) -> float:
        return sum(value for _, value in self.of(name, **wanted)) / self.seconds

    def buckets(self, name: str, **wanted: str) -> dict[float, float]:
        """How many were at most so long, by the bound."""
        found: dict[float, float] = defaultdict(float)
        for labels, value in self.of(f"{name}_bucket", **wanted):
            found[float(labels["le"])] += value
        return found


def _growth(before: Mapping[Series, float], series: Series, value: float) -> float:
    known = before.get(series, 0.0)
    return value - known if value >= known else value


def _routes(grown: _Grown) -> Iterator[Route]:
    asked: dict[tuple[str, str], float] = defaultdict(float)
    failed: dict[tuple[str, str], float] = defaultdict(float)
    for labels, value in grown.of(f"{_DURATION}_count"):
        key = (labels["method"], labels["route"])
        asked[key] += value
        failed[key] += value if labels["status"].startswith("5") else 0
    for (method, route), count in asked.items():
        if not count:
            continue
        buckets = grown.buckets(_DURATION, method=method, route=route)
        of_route = sum(value for (_, each), value in asked.items() if each == route)
        yield Route(
            name=f"{method} {route}",
            rate=count / grown.seconds,
            median=quantile(0.5, buckets),
            p99=quantile(0.99, buckets),
            errors=failed[method, route] / grown.seconds,
            statements=grown.rate("db_statements_total", route=route) * grown.seconds / of_route,
            held=grown.rate("db_connection_held_seconds_total", route=route) * count / of_route,
        )


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """As Prometheus' histogram_quantile; above the last bound math.inf, of nothing None."""
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return None
    wanted, lower, below = share * buckets[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= wanted:
            within = (wanted - below) / (count - below) if count > below else 1.0
            return math.inf if math.isinf(bound) else lower + (bound - lower) * within
        lower, below = bound, count
    return math.inf
