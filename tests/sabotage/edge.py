"""Promises about memory and time at the edge, broken on purpose."""

from tests.sabotage import Sabotage

HTTP = "library/plumbline_tests/http/"
PROTOCOL, UNREAD = HTTP + "test_protocol.py", HTTP + "test_unread.py"
SLOW = HTTP + "test_slow_requests.py::test_slow_client_is_told_so_and_let_go"
BODIES = HTTP + "test_bodies.py"
KEPT = HTTP + "test_memory.py::test_nothing_long_of_a_request_is_kept"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let the server make a line of each request, which nobody asked for",
        "library/plumbline/http/protocol.py",
        "self.access_log = False",
        "pass",
        PROTOCOL + "::test_server_makes_no_line_of_its_own",
    ),
    Sabotage(
        "keep a long X-Forwarded-For while its connection is idle",
        "library/plumbline/http/request_context.py",
        'return hops if len(hops) <= _LONGEST_HOPS else hops[-_LONGEST_HOPS:].partition(",")[2]',
        "return hops",
        KEPT,
    ),
    Sabotage(
        "make a long Host the key of a cache",
        "library/plumbline/http/request_context.py",
        "return len(host) <= _LONGEST_HOST and self._is_known(host)",
        "return self._is_known(host)",
        KEPT,
    ),
    Sabotage(
        "make a long statement the key of a cache",
        "library/plumbline/db/sql_text.py",
        "LONGEST_KEPT = 10_000",
        "LONGEST_KEPT = 10_000_000",
        HTTP + "test_memory.py::test_long_statement_is_not_kept",
    ),
    Sabotage(
        "keep a body as long as its connection",
        "library/plumbline/http/load_shedding.py",
        "            scope.pop(STATE, None)  # a server keeps the scope as long as the connection",
        "            pass",
        HTTP + "test_memory.py::test_body_is_not_kept_by_an_idle_connection",
    ),
    Sabotage(
        "ask only some paths for their host",
        "library/plumbline/http/request_context.py",
        "path in PROBES:",
        'not path.startswith("/api/"):',
        HTTP + "test_headers.py::test_only_allowed_hosts_are_answered",
    ),
    Sabotage(
        "ask a URL parser whom the request asks",
        "library/plumbline/http/request_context.py",
        "found = _HOST.fullmatch(host.lower())",
        "found = _HOST.search(host.lower())",
        HTTP + "test_network.py::test_host_is_matched_whole",
    ),
    Sabotage(
        "take no hop with a port",
        "library/plumbline/http/client_ip.py",
        "found = _HOP.fullmatch(text)",
        "found = None",
        HTTP + "test_network.py::test_hop_may_carry_a_port",
    ),
    Sabotage(
        "wait for the end of a head, however long it is",
        "library/plumbline/http/protocol.py",
        "if self._unread > self.settings.MAX_HEAD_BYTES:",
        "if False:",
        PROTOCOL + "::test_head_has_a_limit",
    ),
    Sabotage(
        "take a large head that came in one piece",
        "library/plumbline/http/protocol.py",
        "return len(self.url) + fields > self.settings.MAX_HEAD_BYTES",
        "return False",
        PROTOCOL + "::test_head_has_a_limit",
    ),
    Sabotage(
        "take any number of headers",
        "library/plumbline/http/protocol.py",
        "if len(self.headers) > self.settings.MAX_HEADERS:",
        "if False:",
        PROTOCOL + "::test_head_has_a_limit",
    ),
    Sabotage(
        "answer a request with the refusal of the next one",
        "library/plumbline/http/protocol.py",
        "        if last is None:",
        "        if True:",
        PROTOCOL + "::test_garbage_behind_a_write_does_not_take_its_answer",
    ),
    Sabotage(
        "take trailers for headers",
        "library/plumbline/http/protocol.py",
        "            self.headers = []",
        "            pass",
        PROTOCOL + "::test_trailer_is_no_header",
    ),
    Sabotage(
        "keep any number of requests of a connection",
        "library/plumbline/http/protocol.py",
        "        if len(self.pipeline) > MAX_PIPELINED:\n            raise",
        "        if False:\n            raise",
        PROTOCOL + "::test_more_requests_at_once_than_are_kept_are_not_answered",
    ),
    Sabotage(
        "let every byte win time",
        "library/plumbline/http/protocol.py",
        "        if awaited == self._awaited:\n            return\n",
        "",
        SLOW,
    ),
    Sabotage(
        "wait for the rest of a refused body for ever",
        "library/plumbline/http/protocol.py",
        'self._await("rest")',
        "self._await(None)",
        SLOW,
    ),
    Sabotage(
        "wait for a body for ever",
        "library/plumbline/http/load_shedding.py",
        "asyncio.timeout(self.timeout_seconds)",
        "asyncio.timeout(None)",
        SLOW,
    ),
    Sabotage(
        "close idle connections as early as silent ones",
        "library/plumbline/http/protocol.py",
        "elif self._is_in_head or self._unread:",
        "elif True:",
        HTTP + "test_slow_requests.py::test_idle_connection_has_a_longer_deadline",
    ),
    Sabotage(
        "let bodies wait without a bound in sum",
        "library/plumbline/http/load_shedding.py",
        "if self.waiting_bytes > (room if size <= SMALL_BYTES else room * 3 // 4):",
        "if False:",
        BODIES + "::test_bodies_that_wait_are_bounded_in_sum",
    ),
    Sabotage(
        "let large bodies take all the room",
        "library/plumbline/http/load_shedding.py",
        "room * 3 // 4",
        "room",
        BODIES + "::test_bodies_that_wait_are_bounded_in_sum",
    ),
    Sabotage(
        "count a refused body for ever",
        "library/plumbline/http/load_shedding.py",
        "        except BaseException:\n            self._discard(pieces)\n",
        "        except BaseException:\n",
        BODIES + "::test_body_counts_until_its_request_ends",
    ),
    Sabotage(
        "wait for readers for ever",
        "library/plumbline/http/protocol.py",
        "        self._end_within(self.settings.SEND_TIMEOUT_SECONDS)\n        while",
        "        while",
        UNREAD + "::test_client_that_does_not_read_is_cut_off",
    ),
    Sabotage(
        "keep whatever is not read",
        "library/plumbline/http/protocol.py",
        "while sum(_unsent.values()) > self.settings.MAX_WAITING_BYTES:",
        "while False:",
        UNREAD + "::test_those_who_have_not_read_for_longest_make_room",
    ),
    Sabotage(
        "write to clients that have gone",
        "library/plumbline/http/protocol.py",
        "            _disconnect(self._running)\n        self.pipeline.clear()\n",
        "            pass\n        self.pipeline.clear()\n",
        "library/plumbline_tests/faults/test_hang_ups.py::test_client_that_hangs_up_is_no_defect",
    ),
    Sabotage(
        "let a page be as large as its posts",
        "app/services/posts.py",
        "is_fitting = (so_far <= type_coerce(max_bytes, BigInteger))",
        "is_fitting = (so_far <= type_coerce(max_bytes, BigInteger) * 1_000_000)",
        "tests/api/test_posts.py::test_page_that_is_full_ends_early",
    ),
    Sabotage(
        "keep answers as they are",
        "library/plumbline/http/idempotency.py",
        "(head, bytes(response.body)), COMPRESSION)",
        "(head, bytes(response.body)), 0)",
        "library/plumbline_tests/http/test_idempotency.py::test_kept_answer_takes_less_than_the_answer",
    ),
    Sabotage(
        "let a user write without end",
        "library/plumbline/http/load_shedding.py",
        "    if used >= allowed:",
        "    if False:",
        "library/plumbline_tests/http/test_write_counts.py"
        "::test_user_who_writes_too_much_has_to_wait_and_nobody_else",
    ),
)
