"""What is drawn, at each size of a terminal, and how figures come about."""

import io
import math
from collections.abc import Mapping

import pytest
from rich.console import Console

from plumbline.top.figures import Figures, Route, figures, quantile
from plumbline.top.scrape import Held, Scrape, Series
from plumbline.top.screen import View, allot, render
from plumbline.top.sessions import Seen, Session, Slow, Wait

LONG = "SELECT " + ", ".join(f"posts.column_{number}" for number in range(40))
ODD = "a\x1b[2J\x9b31m\u202e[bold]b\n"
ROUTE = Route("GET /api/v1/posts/{post_id}", 1234.5, 0.0004, math.inf, 2.0, 1.5, 3.25)
FIGURES = Figures((ROUTE,) * 30, 3, 0.5, 0.25, 0.001, 7, 2, 60, 0.1)
SESSIONS = tuple(Session(pid, ODD, "active", pid / 7, LONG) for pid in range(1, 40))
HELD = tuple(Held(pid, "/api/v1/posts/{post_id}", 90.0 / pid) for pid in range(1, 30))
WAITS = tuple(Wait(pid, 1.5, (pid + 1, 0)) for pid in range(1, 20))
SLOW = (Slow(1_000_000, 0.00003, 1e6, LONG),) * 20
FULL = View("app top", FIGURES, "", HELD, Seen(SESSIONS, WAITS, SLOW, rights_hint="GRANT it"))
EMPTY = View("app top", None, "it answers 404", (), Seen(slow_hint="there is none", obstacle="no"))


def _drawn(view: View, width: int, height: int | None) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True, color_system=None)
    console.print(render(view, None if height is None else (width, height)))
    return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 50), (132, 43), (40, 30)])
def test_picture_fits_the_terminal_and_shows_every_section(width: int, height: int) -> None:
    shown = _drawn(FULL, width, height)

    assert len(shown) <= height
    assert max(map(len, shown)) <= width
    for title in ("routes (30, ", "connections (39, ", "locks (38, ", "statements that took"):
        assert any(line.startswith(title) for line in shown), title


def test_picture_at_80_columns_says_what_matters() -> None:
    shown = "\n".join(_drawn(FULL, 80, 24))

    for told in (
        "37,035.0/s",
        "7 of 60 in use, 2 waiting",
        "> 10 s",
        "0.40 ms",
        "active",
        "90.0 s",
    ):
        assert told in shown
    assert "GET /api/v1/posts/{post_id}" in shown


def test_what_others_call_themselves_moves_no_cursor() -> None:
    sessions = tuple(Session(pid, ODD, ODD, 1, ODD) for pid in range(4))
    slow = (Slow(1, 1, 1, ODD),)
    shown = "\n".join(_drawn(View(ODD, None, ODD, (), Seen(sessions, (), slow)), 200, None))

    assert shown.count("[bold]b") == 2 + 4 * 3 + 1
    assert not {"\x1b", "\x9b", "\u202e"} & {*shown}


def test_what_cannot_be_seen_is_a_line_each() -> None:
    shown = _drawn(EMPTY, 80, 24)

    assert [line.strip() for line in shown] == [
        "app top",
        "service   it answers 404",
        "database  no",
        *("routes", "no figures"),
        *("connections", "not to be seen"),
        *("locks", "not to be seen"),
        *("statements that took most time", "there is none"),
    ]


@pytest.mark.parametrize(
    ("room", "wanted", "given"),
    [
        (10, [9, 0, 1, 9], [5, 0, 1, 4]),
        (2, [9, 9, 9, 9], [1, 1, 1, 1]),  # too small for anybody
        (99, [3, 4], [3, 4]),
        (None, [3, 99], [3, 20]),
        (5, [0, 0], [0, 0]),
    ],
)
def test_rows_are_shared_out(room: int | None, wanted: list[int], given: list[int]) -> None:
    assert allot(room, wanted) == given


@pytest.mark.parametrize(
    ("buckets", "median"),
    [
        ({0.1: 0, 0.2: 10, math.inf: 10}, 0.15),
        ({0.1: 10, 0.2: 10, math.inf: 10}, 0.05),
        ({0.1: 0, math.inf: 4}, math.inf),
        ({0.1: 0, math.inf: 0}, None),
        ({}, None),
    ],
)
def test_quantile_is_that_of_prometheus(buckets: Mapping[float, float], median: object) -> None:
    assert quantile(0.5, buckets) == (pytest.approx(median) if median else median)


def _scrape(at: float, retried: float, refused: float) -> Scrape:
    samples: dict[Series, float] = {
        ("http_requests_retried_total", frozenset()): retried,
        ("http_requests_refused_total", frozenset()): refused,
    }
    return Scrape(at, samples, ())


def test_counter_that_fell_began_again() -> None:
    """Its process was restarted."""
    found = figures(_scrape(10, 100, 4), _scrape(12, 6, 10))

    assert (found.retries, found.refused) == (3, 3)
