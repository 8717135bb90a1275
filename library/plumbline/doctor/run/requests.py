"""What happens around a request: when it is committed, on which thread, behind which middleware."""

from collections.abc import Iterator

from plumbline.doctor.finding import Severity
from plumbline.doctor.registry import Fault
from plumbline.doctor.run.application import Application, Part, as_in_code, run_rule

_WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def _late(app: Application) -> Iterator[tuple[Part, list[Part]]]:
    """The dependencies that commit behind their yield and the response, and who asks for them."""
    asked: dict[str, list[Part]] = {}
    for route in app.all("routes"):
        for key in route["dependencies"]:
            asked.setdefault(key, []).append(route)
    for key, routes in asked.items():
        dependency: Part = app.facts["dependencies"][key]
        if dependency["late_commit"] and dependency["scope"] != "function":
            yield dependency, routes


def _place(dependency: Part) -> Part:
    """Of the commit, or of the dependency where the commit is in an installed package."""
    commit: Part = dependency["late_commit"]
    return {**dependency, **commit} if commit["file"] else dependency


def _paths(routes: list[Part]) -> str:
    first = routes[0]["path"]
    return first if len(routes) == 1 else f"{first} and {len(routes) - 1} more routes"


@as_in_code("PL001")
def commit_after_response(app: Application) -> Iterator[Fault]:
    for dependency, routes in _late(app):
        writing = [route for route in routes if _WRITES & set(route["methods"])]
        by_hand = [route for route in writing if route["commits"]]
        is_mild = not app.answers_after_exit or len(by_hand) * 2 > len(writing)
        version = app.facts["versions"]["fastapi"]
        when = "after the response" if app.answers_after_exit else "late from FastAPI 0.118 on"
        yield app.fault(
            _place(dependency),
            f"`{dependency['name']}` commits {when} (this is {version}), and no scope='function'"
            f" says otherwise: {_paths(routes)}",
            Severity.HAZARD if is_mild else None,
        )


@as_in_code("PL002")
def commit_despite_error(app: Application) -> Iterator[Fault]:
    seen = set()
    for dependency in app.facts["dependencies"].values():
        commit = dependency["late_commit"]
        if commit and commit["is_always"] and dependency["name"] not in seen:
            seen.add(dependency["name"])
            yield app.fault(
                _place(dependency),
                f"`{dependency['name']}` commits in `finally`: what a failed handler has written"
                " is stored, half of it as well as all",
            )


@as_in_code("PL201")
def sync_session_in_async(app: Application) -> Iterator[Fault]:
    for part in _with_sessions(app):
        if part["is_async"] and "sync" in part["sessions"].values():
            yield app.fault(
                part,
                f"`{part['name']}` is async and gets a sync Session: each of its statements stops"
                " all other requests of the process",
            )


@run_rule("PL801", Severity.STOPS_THE_SERVICE, "an async session in a plain function")
def async_session_in_sync(app: Application) -> Iterator[Fault]:
    for part in _with_sessions(app):
        if not part["is_async"] and "async" in part["sessions"].values():
            yield app.fault(
                part,
                f"`{part['name']}` cannot await what it gets, an AsyncSession, and it runs on a"
                " thread: nothing is executed, or the connection is used from two threads",
            )


def _with_sessions(app: Application) -> list[Part]:
    """Routes and dependencies that are given a session; a generator that gives it on is none."""
    found = {
        (each["name"], each["line"]): each
        for each in [
            *(route for route in app.all("routes") if route["is_function"]),
            *(each for each in app.facts["dependencies"].values() if not each["gives"]),
        ]
    }
    return list(found.values())


@run_rule("PL802", Severity.HAZARD, "a stream runs through BaseHTTPMiddleware")
def stream_through_middleware(app: Application) -> Iterator[Fault]:
    streams = [route for route in app.all("routes") if route["is_stream"]]
    for middleware in app.all("middlewares"):
        if streams and middleware["is_base"]:
            yield app.fault(
                middleware,
                f"`{middleware['name']}` goes on behind call_next before {_paths(streams)} has"
                " ended, and without the context variables that the route sets; each part of the"
                " stream costs a queue and a second task",
            )


@as_in_code("PL503")
def cors_for_all(app: Application) -> Iterator[Fault]:
    for each in app.all("middlewares"):
        is_open = "*" in each["origins"] or each["origin_regex"] in {".*", "https?://.*", ".+"}
        if each["class"] == "CORSMiddleware" and each["with_credentials"] and is_open:
            yield app.fault(
                each,
                "CORSMiddleware allows every origin together with credentials: any site that a"
                " user visits may send requests as that user, and read the answers",
            )


@as_in_code("PL504")
def debug_in_production(app: Application) -> Iterator[Fault]:
    if app.facts["debug"]:
        yield app.fault(
            {"name": "the application", "file": None, "line": 0},
            "`debug` is true with the settings of this environment: an error answers with source"
            " code and the values of variables",
        )
