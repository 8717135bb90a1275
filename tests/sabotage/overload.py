"""What is promised where more ask than can be worked on, broken on purpose."""

from tests.sabotage import Sabotage

ADMISSION = "library/plumbline/http/admission.py"
SHEDDING = "library/plumbline/http/load_shedding.py"
TESTS = "library/plumbline_tests/http/test_admission.py::"
UPLOADS = "library/plumbline_tests/http/test_uploads.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "refuse at once who finds no place",
        ADMISSION,
        "        if not (seconds := self.patience_seconds()):\n",
        "        if seconds := self.patience_seconds():\n",
        TESTS + "test_who_finds_no_place_is_not_refused_but_has_its_turn",
    ),
    Sabotage(
        "let those who ask again overtake",
        "library/plumbline/db/turns.py",
        "(first := self._waiting.popleft())",
        "(first := self._waiting.pop())",
        TESTS + "test_who_finds_no_place_is_not_refused_but_has_its_turn",
    ),
    Sabotage(
        "give the place that a probe never had to somebody",
        SHEDDING,
        'RequestState(), scope["path"] not in _UNLIMITED',
        "RequestState(), True",
        TESTS + "test_who_finds_no_place_is_not_refused_but_has_its_turn",
    ),
    Sabotage(
        "refuse a connection as often as it asks",
        ADMISSION,
        "loop.call_later(seconds, ",
        "loop.call_later(seconds / 9, ",
        TESTS + "test_connection_gets_one_refusal_for_each_time_it_has_waited",
    ),
    Sabotage(
        "work for a client that has hung up",
        ADMISSION,
        '        _tell(mine, "gone")\n',
        "        pass\n",
        TESTS + "test_client_that_hangs_up_while_it_waits_is_not_worked_for",
    ),
    Sabotage(
        "lose the place of who gave up",
        ADMISSION,
        "                self.give_back()  # it came",
        "                pass  # it came",
        TESTS + "test_place_that_comes_when_its_request_is_just_cancelled_goes_to_the_next",
    ),
    Sabotage(
        "keep who has given up",
        ADMISSION,
        "                self._waiting.remove(mine)\n",
        "                pass\n",
        TESTS + "test_nothing_is_kept_of_who_has_given_up",
    ),
    Sabotage(
        "refuse without a bound in sum",
        ADMISSION,
        "max(self.timeout_seconds, self.waiting / REFUSALS_A_SECOND)",
        "self.timeout_seconds",
        TESTS + "test_refusals_have_a_bound_in_sum_however_many_wait",
    ),
    Sabotage(
        "refuse an upload at once",
        ADMISSION,
        "return uploads.take() or await uploads.wait_in_time()",
        "return uploads.take()",
        UPLOADS + "test_upload_waits_its_turn_in_both_lines",
    ),
    Sabotage(
        "let an upload keep the place of another request",
        ADMISSION,
        "    places.give_back()\n    return uploads",
        "    return uploads",
        UPLOADS + "test_upload_waits_its_turn_in_both_lines",
    ),
    Sabotage(
        "refuse a body at once, again and again",
        SHEDDING,
        "                await self.places.pause()\n",
        "",
        "library/plumbline_tests/http/test_bodies.py::test_bodies_that_wait_are_bounded_in_sum",
    ),
)
