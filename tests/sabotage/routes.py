"""Compiled routes that answer otherwise than FastAPI, broken on purpose."""

from tests.sabotage import Sabotage

LOG = "library/plumbline_tests/test_logging.py"
HTTP = "library/plumbline/http/"
NAMES = "library/plumbline_tests/http/test_route_names.py::"
COMPILED = "library/plumbline_tests/http/test_compiled_routes.py"
ODD = f"{COMPILED}::test_odd_requests_are_answered_as_by_fastapi"
LATER = f"{COMPILED}::test_dependency_of_later_is_solved"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "take the first of several values in a query",
        HTTP + "route_parameters.py",
        'return request.query_params.get(alias) if request.scope["query_string"] else None',
        "return next(iter(request.query_params.getlist(alias)), None)",
        ODD,
    ),
    Sabotage(
        "report what two dependencies ask for once",
        HTTP + "route_plans.py",
        "            elif run.errors:",
        "            elif False:",
        ODD,
    ),
    Sabotage(
        "run a dependency once that asks to be run again",
        HTTP + "route_plans.py",
        "step.is_repeated = first is not step and step.dependant.use_cache",
        "step.is_repeated = first is not step",
        ODD,
    ),
    Sabotage(
        "close what is opened for the function after the response",
        HTTP + "fastapi_inside.py",
        'scope = "function" if dependant.scope == "function" else "inner"',
        'scope = "inner"',
        ODD,
    ),
    Sabotage(
        "lose the headers that a route has set",
        HTTP + "compiled_routes.py",
        "            response.raw_headers.extend(told.said)",
        "            pass",
        ODD,
    ),
    Sabotage(
        "read JSON whatever the body says it is",
        HTTP + "compiled_routes.py",
        'is_one = subtype == "json" or subtype.endswith("+json")',
        "is_one = True",
        ODD,
    ),
    Sabotage(
        "forget dependency_overrides",
        HTTP + "compiled_routes.py",
        "if self.provider is not None and self.provider.dependency_overrides:",
        "if False:",
        f"{COMPILED}::test_overridden_dependency_is_used",
    ),
    Sabotage(
        "forget a dependency that was added later",
        HTTP + "compiled_routes.py",
        "if len(self.dependant.dependencies) != self.needed:",
        "if False:",
        LATER,
    ),
    Sabotage(
        "compile with a FastAPI that nobody has compared",
        HTTP + "fastapi_inside.py",
        "if fastapi.__version__ not in COMPARED:",
        "if False:",
        f"{COMPILED}::test_other_version_of_fastapi_answers_itself",
    ),
    Sabotage(
        "keep the line of a request until the next one",
        "library/plumbline/logging.py",
        "    _directly.file.flush()",
        "    pass",
        f"{LOG}::test_line_of_a_request_is_what_structlog_would_make_of_it",
    ),
    Sabotage(
        "write the line of a request past the processors of the service",
        "library/plumbline/logging.py",
        "if _directly.config is None or structlog.get_config() != _directly.config:",
        "if _directly.config is None:",
        f"{LOG}::test_line_of_a_request_goes_through_processors_of_the_service",
    ),
    Sabotage(
        "load the cipher of answers in each process",
        HTTP + "idempotency.py",
        "if TYPE_CHECKING:\n    from cryptography",
        "if True:\n    from cryptography",
        "tests/test_speed.py::test_request_costs_no_more_than_it_did",
    ),
    Sabotage(
        "do the work of a request nine times",
        "library/plumbline/http/request_context.py",
        "current = self._note_who_asks(scope, headers)\n        started",
        "current = [self._note_who_asks(scope, headers) for _ in range(9)][0]\n        started",
        "tests/test_speed.py::test_request_costs_no_more_than_it_did",
    ),
    Sabotage(
        "let a session hold itself until the collector comes",
        "app/services/callers.py",
        "lambda: _lock(caller, held[0])",
        "lambda: _lock(caller, db.info[_HELD][0])",
        "tests/test_speed.py::test_request_costs_no_more_than_it_did",
    ),
    Sabotage(
        "ask for pages last where a route may mean one",
        HTTP + "install.py",
        'path.startswith("/{") for path in paths)',
        "False for path in paths)",
        "library/plumbline_tests/http/test_parts.py::test_page_stays_before_a_route_that_may_mean_it",
    ),
    Sabotage(
        "ask for pages last where something is mounted at the root",
        HTTP + "install.py",
        "if not any(not path or ",
        "if not any(",
        NAMES + "test_what_is_mounted_at_the_root_hides_no_page_of_the_api",
    ),
    Sabotage(
        "name a route that is included without its prefix",
        HTTP + "route_names.py",
        "        if INCLUDED not in scope:\n",
        "        if scope:\n",
        NAMES + "test_route_is_named_by_its_template_with_that_of_its_mount",
    ),
    Sabotage(
        "name a route of a mounted application as if it were ours",
        HTTP + "route_names.py",
        'is_mounted = "app_root_path" in scope',
        "is_mounted = False",
        NAMES + "test_route_is_named_by_its_template_with_that_of_its_mount",
    ),
    Sabotage(
        "name a mount by what callers have asked for",
        HTTP + "route_names.py",
        '        path = context.path or ""\n',
        '        path = str(found.get("root_path", context.path or ""))\n',
        NAMES + "test_route_is_named_by_its_template_with_that_of_its_mount",
    ),
    Sabotage(
        "count the work after the answer as time of the request",
        HTTP + "request_context.py",
        "                ended = perf_counter()  # background tasks come after it\n",
        "                pass\n",
        NAMES + "test_request_ends_with_its_answer_and_not_with_what_it_leaves_to_be_done",
    ),
)
