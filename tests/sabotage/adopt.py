"""Promises to a service that adopts the library, broken on purpose."""

from tests.sabotage import Sabotage

ORDER = "library/plumbline_tests/http/test_commit_order.py::"
LATE = ORDER + "test_commit_after_the_response_stops_the_start"
EXISTING = "library/plumbline_tests/http/test_existing_service.py::"
HTTP = "library/plumbline/http/"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let a late commit pass",
        HTTP + "commit_order.py",
        "    if late:\n",
        "    if len(late) > 1:\n",
        LATE,
    ),
    Sabotage(
        "look at the nearest dependencies alone",
        HTTP + "commit_order.py",
        "        yield from pairs(below)\n",
        "",
        ORDER + "test_commit_is_found_wherever_it_was_asked_for",
    ),
    Sabotage(
        "take a block of begin() for harmless",
        HTTP + "generators.py",
        '_is_call_of(node, {"begin"}) or ',
        "",
        LATE,
    ),
    Sabotage(
        "refuse a commit before the yield",
        HTTP + "generators.py",
        " and _position(node) > first)",
        ")",
        ORDER + "test_what_commits_nothing_after_its_yield_is_let_be",
    ),
    Sabotage(
        "take every commit for one of a database",
        HTTP + "commit_order.py",
        "return verdicts[key] and (",
        "return verdicts[key] or (",
        ORDER + "test_what_commits_nothing_after_its_yield_is_let_be",
    ),
    Sabotage(
        "look only at the routes before install",
        HTTP + "install.py",
        "        _require_of_routes(app, may_commit_late)\n        async with",
        "        async with",
        EXISTING + "test_late_commit_stops_install_and_also_the_start_after_it",
    ),
    Sabotage(
        "replace the handlers of the service",
        HTTP + "exception_handlers.py",
        'if present is None or module.partition(".")[0] in {"fastapi", "plumbline"}:',
        "if present is None or module:",
        EXISTING + "test_handler_of_the_service_wins",
    ),
    Sabotage(
        "drop the text of an HTTPException",
        HTTP + "exception_handlers.py",
        "error.detail if _is_of_the_application(error) else None",
        "None",
        EXISTING + "test_text_of_an_http_exception_is_passed_on",
    ),
    Sabotage(
        "add a header twice",
        HTTP + "request_context.py",
        "[header for header in always if header[0] not in names]",
        "always",
        EXISTING + "test_header_of_the_service_wins",
    ),
    Sabotage(
        "put health behind a folder of files",
        HTTP + "health.py",
        "app.router.routes.insert(0, route)",
        "app.router.routes.append(route)",
        EXISTING + "test_health_answers_before_a_folder_of_files_and_yields_to_a_route",
    ),
    Sabotage(
        "take any engine for readiness",
        "library/plumbline/db/readiness.py",
        '        require_engine(engine, "Readiness")\n',
        "",
        EXISTING + "test_readiness_refuses_an_engine_of_another_kind",
    ),
    Sabotage(
        "let install overlook a late commit",
        HTTP + "install.py",
        "    _require_of_routes(app, may_commit_late)\n    _add",
        "    _add",
        "tests/test_adopt.py::test_lesson_does_not_start_with_the_library_and_its_late_commit",
    ),
)
