"""Writes of each user, counted by a process."""

import pytest

from plumbline.errors import TooManyRequests
from plumbline.http import load_shedding
from plumbline.http.load_shedding import WriteCounts
from plumbline.settings import RateLimitSettings

THREE = RateLimitSettings(WRITE_LIMIT_PER_USER=3)


@pytest.fixture
def used_up() -> WriteCounts:
    """The user 1 has written three times."""
    counts = WriteCounts()
    for _ in range(3):
        counts.count(1, THREE)
    return counts


def test_user_who_writes_too_much_has_to_wait_and_nobody_else(used_up: WriteCounts) -> None:
    for _ in range(2):
        with pytest.raises(TooManyRequests):
            used_up.count(1, THREE)

    used_up.count(2, THREE)


def test_window_that_is_over_counts_no_more(
    used_up: WriteCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_at, _ = used_up.windows[1]
    monkeypatch.setattr(load_shedding, "monotonic", lambda: ends_at)

    used_up.count(1, THREE)


def test_no_limit_counts_nothing(used_up: WriteCounts) -> None:
    used_up.count(1, RateLimitSettings(WRITE_LIMIT_PER_USER=0))

    assert used_up.windows[1][1] == 3


def test_counts_of_few_users_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_shedding, "MAX_WRITERS", 10)
    counts = WriteCounts()

    for user_id in range(25):
        counts.count(user_id, THREE)

    assert [*counts.windows] == [*range(15, 25)]
