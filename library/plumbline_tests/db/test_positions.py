"""What a process concludes from the answers of servers, without any server."""

import pytest

from plumbline.db.positions import Mark, Position, PrimaryLog, name_of
from plumbline.db.reading import UNKNOWN, Seen, parse_tokens

SECOND = 1_000_000
THEN = 500 * SECOND  # of the primary's clock, when ours is at 0


def answer(moment: int, lsn: int, life: str = "first") -> Position:
    return Position(life, is_standby=False, moment=moment, lsn=lsn, timeline=1, system=7)


@pytest.fixture
def log() -> PrimaryLog:
    """Asked at 0, 0.1 and 0.2 seconds, which took two milliseconds each."""
    made = PrimaryLog(10 * SECOND)
    for at, lsn in ((0, 10), (100_000, 20), (200_000, 30)):
        made.note(answer(THEN + at + 1000, lsn), at, at + 2000)
    return made


@pytest.mark.parametrize(
    ("lsn", "moment"), [(30, THEN + 201_000), (29, THEN + 101_000), (10, THEN + 1000), (9, None)]
)
def test_replica_has_what_was_committed_before_the_wal_that_it_has_replayed(
    log: PrimaryLog, lsn: int, moment: int | None
) -> None:
    mark = log.replayed(lsn)

    assert (None if mark is None else mark.moment) == moment


def test_what_is_seen_now_is_later_than_any_answer(log: PrimaryLog) -> None:
    assert log.latest(202_000) is not None
    assert (log.latest(202_000) or 0) >= THEN + 202_000
    assert (log.latest(5 * SECOND) or 0) >= THEN + 5 * SECOND


def test_primary_that_does_nothing_gets_no_longer_list(log: PrimaryLog) -> None:
    for at in range(300_000, SECOND, 100_000):
        log.note(answer(THEN + at, 30), at, at + 1000)

    assert log.replayed(29) == Mark(THEN + 101_000, 20)
    assert log.replayed(30) == Mark(THEN + 900_000, 30)


def test_replica_that_is_further_behind_than_what_is_kept_has_nothing(log: PrimaryLog) -> None:
    log.note(answer(THEN + 11 * SECOND, 40), 11 * SECOND, 11 * SECOND + 1000)

    assert log.replayed(39) is None


def test_clock_that_was_set_back_is_later_than_what_others_have_seen(log: PrimaryLog) -> None:
    before = log.latest(300_000) or 0
    log.note(answer(THEN - 5 * SECOND, 40), 300_000, 302_000)

    assert log.replayed(39) is None
    assert (log.latest(400_000) or 0) >= before


def test_clock_that_was_set_back_a_little_is_no_earlier(log: PrimaryLog) -> None:
    before = log.latest(302_000) or 0
    log.note(answer(THEN + 250_000, 40), 300_000, 302_000)

    assert (log.latest(303_000) or 0) >= before


def test_clock_that_was_set_forward_counts_when_all_have_heard_of_it(log: PrimaryLog) -> None:
    jump = 60 * SECOND
    is_new = log.note(answer(THEN + jump + 300_000, 40), 300_000, 302_000)
    assert is_new
    assert log.replayed(99) is None

    log.note(answer(THEN + jump + 1_400_000, 50), 1_400_000, 1_402_000)

    assert log.replayed(49) is None
    assert log.replayed(50) == Mark(THEN + jump + 1_400_000, 50)


def test_another_primary_begins_again(log: PrimaryLog) -> None:
    is_new = log.note(answer(1000, 5, "second"), 300_000, 302_000, is_same_session=False)

    assert is_new
    assert log.names == {name_of("second")}
    assert log.replayed(30) == Mark(1000, 5)
    assert (log.latest(302_000) or 0) < THEN


def test_server_whose_statistics_were_reset_is_the_same(log: PrimaryLog) -> None:
    is_new = log.note(answer(THEN + 301_000, 40, "first, reset"), 300_000, 302_000)

    assert not is_new
    assert log.names == {name_of("first"), name_of("first, reset")}


def test_tokens_come_back_as_they_were_sent() -> None:
    seen = [Seen("0123abcd", 17), Seen("0123abcd", 18, "89abcdef"), UNKNOWN]

    assert [*parse_tokens([", ".join(each.token() for each in seen)])] == seen
    assert [*parse_tokens([each.token() for each in seen])] == seen


@pytest.mark.parametrize(
    "forged",
    [
        "x",
        "0123abcd",
        "0123abcd.",
        "0123abcd.-1",
        "0123ABCD.1",
        "0123abcd.1.",
        "0123abcd.1.89abcdef.1",
        "0123abcd." + "9" * 19,
        "0123abcd.٣",
        "\x00",
        "a" * 100_000,
        "," * 100_000 + "x",
    ],
)
def test_token_that_is_none_is_one_of_an_unknown_server(forged: str) -> None:
    assert UNKNOWN in parse_tokens([forged])


def test_no_token_is_nothing_seen() -> None:
    assert parse_tokens([]) == parse_tokens([""]) == parse_tokens([" , "]) == ()
