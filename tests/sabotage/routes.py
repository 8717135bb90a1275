"""Compiled routes that answer otherwise than FastAPI, broken on purpose."""

from tests.sabotage import Sabotage

LOG = "library/plumbline_tests/test_logging.py"
HTTP = "library/plumbline/http/"
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
        'if not any(path.startswith("/{") for path in paths):',
        "if paths:",
        "library/plumbline_tests/http/test_parts.py::test_page_stays_before_a_route_that_may_mean_it",
    ),
)
