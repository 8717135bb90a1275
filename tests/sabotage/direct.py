"""What stands between, other versions and who listens, passed by on purpose (docs/adr/0071)."""

from tests.sabotage import Sabotage

HTTP, DB = "library/plumbline/http/", "library/plumbline/db/"
INSIDE, DIRECT = HTTP + "fastapi_inside.py", HTTP + "direct_routes.py"
COMPILED, OWNED = HTTP + "compiled_routes.py", DB + "owned_session.py"
TESTS = "library/plumbline_tests/"
PASSED = TESTS + "http/test_passed_by.py::"
READ = PASSED + "test_request_is_read_as_by_fastapi"
LATER = TESTS + "http/test_direct_routes.py::test_what_is_put_around_a_route_later_runs"
OTHER = (
    TESTS + "http/test_compiled_routes.py::"
    "test_other_version_whose_inner_names_are_gone_serves_and_says_so"
)
COMPARED = TESTS + "db/test_compared.py::"
STORED = COMPARED + "test_write_is_stored_by_sqlalchemy_where_it_is_not_compared"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "read the body that was sent where a middleware gives another one",
        INSIDE,
        'if request._receive is not receive or "_body" in request.__dict__:',
        "if False:",
        READ,
    ),
    Sabotage(
        "let a request forget that its body has been read",
        INSIDE,
        "    request._body, request._stream_consumed = body, True  # noqa: SLF001\n",
        "",
        READ,
    ),
    Sabotage(
        "bring a body again that a route has taken",
        HTTP + "routing.py",
        "    replay.is_taken = True\n",
        "",
        READ,
    ),
    Sabotage(
        "read a request of the team's own class past it",
        COMPILED,
        "if request.__class__ is not Request:",
        "if False:",
        READ,
    ),
    Sabotage(
        "pass by what another library has put in FastAPI's place",
        INSIDE,
        "    replaced = find_replaced()\n",
        "    replaced = None\n",
        PASSED + "test_function_of_another_library_runs",
    ),
    Sabotage(
        "pass by what another library puts there late",
        COMPILED,
        "            or _routing.serialize_response is not serialize\n",
        "",
        PASSED + "test_function_that_was_replaced_after_the_first_request_runs",
    ),
    Sabotage(
        "answer a route by its handler of another place",
        DIRECT,
        "        return None\n    return known\n",
        "        return None\n    return Answering(route.app, route.handler, route.handler)\n",
        PASSED + "test_route_that_is_included_later_keeps_its_own_rules",
    ),
    Sabotage(
        "send headers that FastAPI does not",
        COMPILED,
        "response.raw_headers.extend(told.said)",
        "response.raw_headers.extend(told.raw_headers)",
        PASSED + "test_headers_are_those_that_fastapi_takes",
    ),
    Sabotage(
        "pass by what is put around one route",
        DIRECT,
        'if known.handler is None or "handle" in route.__dict__ or',
        "if known.handler is None or",
        LATER,
    ),
    Sabotage(
        "pass by middleware that the router gets later",
        DIRECT,
        "    if layers.router.middleware_stack is not layers.stack:\n        return None\n",
        "",
        LATER,
    ),
    Sabotage(
        "compile with a Starlette that nobody has compared",
        INSIDE,
        "if starlette.__version__ not in COMPARED_STARLETTE:",
        "if False:",
        TESTS + "http/test_compiled_routes.py::test_other_version_of_starlette_is_left_alone",
    ),
    Sabotage(
        "fail to start where FastAPI has no such inner part",
        INSIDE,
        '_v2 = _module("fastapi._compat.v2")',
        "from fastapi._compat import v2 as _v2",
        OTHER,
    ),
    Sabotage(
        "say nothing of versions that nobody has compared",
        HTTP + "install.py",
        "            _tell_what_is_not_passed_by()\n",
        "",
        OTHER,
    ),
    Sabotage(
        "run transactions past a SQLAlchemy that nobody has compared",
        OWNED,
        "        if not compared.IS_COMPARED:\n            return False\n",
        "",
        STORED,
    ),
    Sabotage(
        "send a lock with BEGIN by a driver that nobody has compared",
        OWNED,
        "is_to_go_along = compared.IS_COMPARED and isinstance(asked, Existence)",
        "is_to_go_along = isinstance(asked, Existence)",
        STORED,
    ),
    Sabotage(
        "read a record of SQLAlchemy's that nobody has compared",
        DB + "pool.py",
        "if not compared.IS_COMPARED or is_watched or not self._idle:",
        "if is_watched or not self._idle:",
        COMPARED + "test_read_on_the_engine_gives_its_connection_back",
    ),
    Sabotage(
        "begin a transaction unheard by who listens to engine_connect",
        OWNED,
        "or bool(of_engine.begin or of_engine.engine_connect)",
        "or bool(of_engine.begin)",
        TESTS + "db/test_direct.py::test_who_listens_to_the_engine_hears_of_them",
    ),
    Sabotage(
        "keep the connection of a BEGIN that was cancelled",
        DB + "direct.py",
        "            self._pool.give_back(self._held)\n            self._raise(error)",
        "            self._raise(error)",
        TESTS + "db/test_cancelled_writes.py::test_cancelled_write_gives_its_connection_back",
    ),
    Sabotage(
        "give a COMMIT that fails a statement",
        DB + "origin.py",
        "        sql or None,\n",
        "        sql,\n",
        COMPARED + "test_commit_that_fails_is_told_in_the_same_words",
    ),
)
