"""Commands of a service that work on its database by themselves."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from plumbline.db.after_commit import finish_acts
from plumbline.db.engine import Engine
from plumbline.db.errors import DATABASE_ERRORS, explain, is_for_the_operator
from plumbline.db.readiness import Readiness
from plumbline.errors import OperatorError, Unavailable


def run_with(engine: Engine, readiness: Readiness, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, and what it does after its commits; close the connections of `engine`.

    An error of the database becomes what `plumbline.cli.main.run` shows as one line.
    """
    asyncio.run(_run(engine, readiness, work))


async def _run(engine: Engine, readiness: Readiness, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except DATABASE_ERRORS as error:
        meaning = await readiness.classify(error)
        if isinstance(meaning, Unavailable) or is_for_the_operator(error):
            raise OperatorError(explain(error)) from error
        if meaning is None:
            raise
        raise meaning from error
    finally:
        await finish_acts()
        await engine.dispose()
