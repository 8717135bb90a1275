"""Who holds each connection: what the service knows, and what PostgreSQL does, by process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plumbline.top.scrape import Held
from plumbline.top.sessions import Session, Wait


@dataclass(frozen=True)
class Line:
    """`who` is a route, or the name of another program; `seconds` how long it has it."""

    pid: int | None
    who: str
    seconds: float
    state: str
    statement: str


@dataclass(frozen=True)
class Lock:
    """`who` waits for `whom`, and with which statement."""

    who: str
    seconds: float
    whom: str
    statement: str


def lines(held: Iterable[Held], sessions: Sequence[Session]) -> list[Line]:
    """The longest first: what routes hold, then what else is not idle."""
    by_pid = {each.pid: each for each in sessions}
    ours = [_of_a_route(each, by_pid.get(each.server_pid or 0)) for each in held]
    known = {each.pid for each in ours}
    others = [
        Line(each.pid, each.name, each.seconds, each.state, each.statement)
        for each in sessions
        if each.pid not in known and each.state != "idle"
    ]
    ours.sort(key=lambda line: -line.seconds)
    others.sort(key=lambda line: -line.seconds)
    return ours + others


def _of_a_route(held: Held, session: Session | None) -> Line:
    if session is None:
        return Line(held.server_pid, held.route, held.seconds, "", "")
    return Line(session.pid, held.route, held.seconds, session.state, session.statement)


def locks(waits: Iterable[Wait], known: Iterable[Line]) -> list[Lock]:
    """One for each who keeps another waiting."""
    by_pid = {each.pid: each for each in known}
    return [
        Lock(
            _name(wait.pid, by_pid.get(wait.pid)),
            wait.seconds,
            _name(blocker, by_pid.get(blocker)),
            by_pid[wait.pid].statement if wait.pid in by_pid else "",
        )
        for wait in waits
        for blocker in wait.blockers
    ]


def _name(pid: int, line: Line | None) -> str:
    if pid == 0:
        return "a prepared transaction"  # pg_blocking_pids has 0 for it
    return f"{pid} {line.who}" if line is not None else str(pid)
