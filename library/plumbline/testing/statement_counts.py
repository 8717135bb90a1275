"""How many statements run: a test fails where a request repeats one, and where it runs too many.

The first holds for every test (`repeats_statements` is the marker for those that may), since the
service in development watches its requests (http/statement_watch.py).
"""

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from plumbline.http.statement_watch import Watched, watching_requests
from plumbline.usage import Usage, of_request

MARKER = "repeats_statements"
ADVICE = (
    "load them with the list (a join, WHERE id = ANY); where it has to be so: "
    f"may_repeat(), @pytest.mark.{MARKER}, or MAX_STATEMENT_REPEATS"
)


@dataclass
class Statements:
    """Those that ran, by their text: how often."""

    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"  {times} x {' '.join(sql.split())}" for sql, times in self.counts.most_common()]
        return "\n".join([f"{self.counts.total()} statements ran", *lines])


@contextmanager
def statement_limit(most: int) -> Iterator[Statements]:
    """AssertionError where more statements run in this block, which names them.

    Those of the block itself, and of the requests that are answered meanwhile, in a service that is
    in development. Without BEGIN and COMMIT; a bulk INSERT is one.
    """
    found, outer = Statements(), of_request.get()
    own: dict[str, int] = {}
    token = of_request.set(Usage(total=outer.total or outer, texts=own))
    try:
        with watching_requests(lambda watched: found.counts.update(watched.texts)):
            yield found
    finally:
        found.counts.update(own)
        of_request.reset(token)
    if found.counts.total() > most:
        raise AssertionError(f"{found}; at most {most} may")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARKER}(why): requests of this test may run one statement again and again"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has passed, if a request of it repeated a statement."""
    seen: list[Watched] = []
    with watching_requests(seen.append):
        result = yield
    if item.get_closest_marker(MARKER) is None:
        lines = [
            f"{watched.route} ran one statement {each.times} times: {each.statement}"
            for watched in seen
            for each in watched.repeated
        ]
        if lines:
            pytest.fail("\n".join([*lines, ADVICE]), pytrace=False)
    return result
