"""Every route of the app: one session at the most, and it commits before the answer leaves."""

from app.main import app
from plumbline_tests.pitfalls.route_walk import faults, name, opens, routes, tree


def test_every_session_of_the_app_commits_before_the_answer() -> None:
    assert faults(app) == []


def test_each_step_to_a_session_has_the_scope_of_the_function() -> None:
    """That of `get_db` decides, in get_db_once; that of `Db` would, if get_db_once yielded."""
    steps = {
        (name(step.call), step.scope)
        for _, dependant in routes(app)
        for below in dependant.dependencies
        for step in tree(below)
        if any(opens(each) for each in tree(step))
    }

    assert {scope for _, scope in steps} == {"function"}
    assert {step for step, _ in steps} >= {"get_db_once", "get_db", "get_read_db"}


def test_walk_finds_the_sessions_of_the_app() -> None:
    found = {
        route: [name(each.call) for each in tree(dependant) if opens(each)]
        for route, dependant in routes(app)
    }

    assert found["POST /api/v1/users"] == ["get_db"]
    assert found["GET /api/v1/users"] == ["get_read_db"]
    assert found["GET /api/v1/users/{user_id}"] == []
    assert found["GET /livez"] == []
