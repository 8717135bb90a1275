"""What must happen once, and only when it is stored: a mail, a call, a message.

A route that loses a race runs again, and one that fails is rolled back; what it has sent by then is
sent. So it says what to do after the commit, and only the attempt that commits does it
(docs/adr/0036).
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, ParamSpec

import structlog
from opentelemetry.trace import Span
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from plumbline import tracing
from plumbline.db.pool import open_session
from plumbline.db.read_only import refuse_transaction
from plumbline.db.read_session import ReadSession
from plumbline.metrics import DEFECTS
from plumbline.usage import AFTER_COMMIT, belong_to

P = ParamSpec("P")

_ACTS = "plumbline.after_commit"  # in the info of a session
_CANCEL_SECONDS = 1.0  # for an act that is given up to end

log = structlog.stdlib.get_logger(__name__)

_running: set[asyncio.Task[None]] = set()  # asyncio itself holds tasks only weakly


class _Act(NamedTuple):
    transaction: SessionTransaction  # the innermost: a SAVEPOINT that is rolled back takes its acts
    call: partial[Any]


def after_commit(
    db: AsyncSession, act: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Call `act` with these arguments once the transaction that `db` is in has committed.

    Also when the answer to COMMIT was lost and PostgreSQL says that it committed; never when it
    rolled back, or when nobody can tell. Acts of a transaction run one after the other, in the
    order in which they were added, while the answer leaves: an error is logged, and the next one
    runs. An act that is no coroutine function runs in a thread.

    Nothing of it is stored: who kills the process loses it. TypeError for a session that only
    reads, SQLAlchemy's InvalidRequestError for one that is closed.
    """
    session = db.sync_session
    if isinstance(session, ReadSession):
        refuse_transaction()
    innermost = session.get_nested_transaction() or session._autobegin_t()  # noqa: SLF001 - or the open one
    if _ACTS not in session.info:
        session.info[_ACTS] = []
        event.listen(session, "after_commit", _begin)
        event.listen(session, "after_soft_rollback", _forget)
        event.listen(session, "after_transaction_end", _end)
    session.info[_ACTS].append(_Act(innermost, partial(act, *args, **kwargs)))


async def finish_acts(timeout_seconds: float | None = None) -> None:
    """Wait for the acts of this event loop; after that time, give up those that still run.

    None: they have all the time.

    `install` and `run_with` do so before the engine is disposed of. The log has what was given up.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            while acting := _of_this_loop():  # they may begin others
                await asyncio.wait(acting)
    if late := _of_this_loop():
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=_CANCEL_SECONDS)


def _of_this_loop() -> set[asyncio.Task[None]]:
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    return {task for task in _running if task.get_loop() is loop and task is not own}


def _begin(session: Session) -> None:
    """After COMMIT; RELEASE of a SAVEPOINT has committed nothing."""
    if session.in_nested_transaction():
        return
    acts, session.info[_ACTS] = session.info[_ACTS], []
    if acts:
        span = tracing.begin("after the commit")  # now, while that of the request is open
        work = _run([each.call for each in acts], span)
        task = asyncio.get_running_loop().create_task(work)
        _running.add(task)
        task.add_done_callback(_running.discard)


def _forget(session: Session, rolled_back: SessionTransaction) -> None:
    """Those of a SAVEPOINT, and of those within."""
    kept = [each for each in session.info[_ACTS] if rolled_back not in _around(each.transaction)]
    session.info[_ACTS] = kept


def _end(session: Session, ended: SessionTransaction) -> None:
    """What is left when the outermost has ended was not committed."""
    if ended.parent is None:
        session.info[_ACTS] = []


def _around(transaction: SessionTransaction | None) -> Iterator[SessionTransaction]:
    while transaction is not None:
        yield transaction
        transaction = transaction.parent


async def _run(calls: Sequence[partial[Any]], span: Span | None) -> None:
    belong_to(AFTER_COMMIT)
    open_session.set(None)  # that of the block: its transaction has ended, and another may be open
    with tracing.within(span):
        await _run_each(calls)


async def _run_each(calls: Sequence[partial[Any]]) -> None:
    for number, call in enumerate(calls):
        try:
            with tracing.within(tracing.begin(_name(call))):
                await _call(call)
        except (Exception, asyncio.CancelledError) as error:
            if _is_given_up(error):
                names = [_name(each) for each in calls[number:]]
                log.error("the process ended before all was done after the commit", left=names)  # noqa: TRY400 - no defect
                raise
            DEFECTS.inc()
            log.exception("what was to be done after the commit failed", act=_name(call))


async def _call(call: partial[Any]) -> None:
    is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
        getattr(call.func, "__call__", None)  # noqa: B004 - of an object that is no function
    )
    found = call() if is_async else await asyncio.to_thread(call)
    if inspect.isawaitable(found):  # also of a lambda
        await found


def _is_given_up(error: BaseException) -> bool:
    """Whether this task was cancelled, and not something that the act has waited for."""
    task = asyncio.current_task()
    is_cancelled = task is not None and task.cancelling() > 0
    return isinstance(error, asyncio.CancelledError) and is_cancelled


def _name(call: partial[Any]) -> str:
    return str(getattr(call.func, "__qualname__", type(call.func).__name__))
