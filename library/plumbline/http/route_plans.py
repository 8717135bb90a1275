"""Which functions a route runs, in which order: FastAPI's tree of dependencies as one list.

`fastapi.dependencies.utils.solve_dependencies` walks the tree for each request. What it decides on
the way stands before any request comes: the order, what is asked for twice and run once, and where
each argument comes from.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant

from plumbline.http.fastapi_inside import Unknown, enterer_of, is_async, is_generator
from plumbline.http.route_parameters import Run, Values, takes_of

FAILED = object()  # the result of a step whose arguments are not acceptable

Key = tuple[Callable[..., Any] | None, str]


class Step:
    """One function, and where its arguments come from."""

    def __init__(self, dependant: Dependant, needs: list[tuple[str | None, int]]) -> None:
        call: Any = dependant.call
        self.dependant = dependant
        self.needs = needs  # of each argument its name (None: none) and the place of the result
        self.takes = takes_of(dependant)
        self.enter = enterer_of(dependant) if is_generator(call) else None
        self.call: Any = call if is_async(call) else partial(run_in_threadpool, call)
        self.place = -1  # of its result
        self.is_repeated = False  # its result is there: it is read for its errors alone

    def arguments(self, run: Run) -> Values | None:
        """None: one of them is not acceptable, and `run.errors` says why."""
        values: Values = {}
        errors = run.errors
        is_ready, before = True, len(errors) if errors else 0
        for name, place in self.needs:
            result = run.results[place]
            if result is FAILED:
                is_ready = False
            elif name is not None:
                values[name] = result
        for take in self.takes:
            take(run, values)
        return values if is_ready and (not errors or len(errors) == before) else None

    def execute(self, run: Run, arguments: Values) -> Awaitable[object]:
        """What it gives."""
        if self.enter is not None:
            return self.enter(run.request, arguments)
        given: Awaitable[object] = self.call(**arguments)
        return given


class Plan:
    """All steps of a route: `before`, then `route`, whose result is the answer.

    Unknown for a route that has what is not dealt with here.
    """

    def __init__(self, dependant: Dependant) -> None:
        self.before: list[Step] = []
        self._done: dict[Key, Step] = {}
        self.route = self._read(dependant)

    async def solve(self, run: Run) -> Values | None:
        """The arguments of the route; None: `run.errors` says what is wrong with them."""
        for step in self.before:
            if step.is_repeated:
                if run.errors:
                    step.arguments(run)  # FastAPI reports what is asked for twice twice
                continue
            result, arguments = FAILED, step.arguments(run)
            if arguments is not None:
                result = await step.execute(run, arguments)
            run.results[step.place] = result
        return self.route.arguments(run)

    def _read(self, dependant: Dependant) -> Step:
        """What it depends on first, in order, then itself."""
        _refuse_unusual(dependant)
        needs = []
        for each in dependant.dependencies:
            step = self._read(each)
            first = self._place(step)
            needs.append((each.name, first.place))
            self.before.append(step)
        return Step(dependant, needs)

    def _place(self, step: Step) -> Step:
        """The step whose result it gets: its own, or that of one like it before."""
        first = self._done.setdefault(_key(step.dependant), step)
        step.is_repeated = first is not step and step.dependant.use_cache
        if not step.is_repeated:
            step.place = len(self.before)
            return step
        return first


def _key(dependant: Dependant) -> Key:
    """What FastAPI's cache of results tells apart, where nothing has scopes of OAuth."""
    return dependant.call, dependant.scope or ("request" if is_generator(dependant.call) else "")


def _refuse_unusual(dependant: Dependant) -> None:
    unusual = {
        "a websocket": dependant.websocket_param_name,
        "scopes of OAuth": dependant.security_scopes_param_name
        or dependant.own_oauth_scopes
        or dependant.parent_oauth_scopes,
        "a dependency with max_concurrency": dependant.concurrency,
        "several parts of the body": len(dependant.body_params) > 1,
    }
    for what, is_there in unusual.items():
        if is_there:
            raise Unknown(f"it takes {what}")
