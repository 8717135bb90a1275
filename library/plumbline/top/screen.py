"""The picture: tables that fit the terminal, and lines that say what is missing."""

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from plumbline.top.connections import Line, Lock, lines, locks
from plumbline.top.figures import Figures, Route
from plumbline.top.scrape import Held
from plumbline.top.sessions import Seen, Slow

MOST_ROWS = 20  # of a section, where nothing bounds them
_HEADS = 2  # lines of a section beside its rows: its title, and the names of its columns
_BAD, _DULL = "bold red", "dim"


@dataclass(frozen=True)
class View:
    """All that is known at one moment; `obstacle` says why there are no figures."""

    name: str
    figures: Figures | None
    obstacle: str
    held: tuple[Held, ...]
    seen: Seen


@dataclass(frozen=True)
class _Section:
    """`make` gives the table of so many rows of `count`; `hint` stands there where it has none."""

    title: str
    count: int
    make: Callable[[int], Table]
    hint: str = ""


def render(view: View, size: tuple[int, int] | None = None) -> RenderableType:
    """In a terminal of so many columns and lines; the longest tables are cut first."""
    head, sections = _head(view), _sections(view)
    hints = [_notice(f"  {each.hint}", _DULL) for each in sections if not each.count]
    tables = sum(1 for each in sections if each.count)
    room = None
    if size is not None:
        told = sum(_lines(each, size[0]) for each in [*head, *hints])
        room = size[1] - told - tables * _HEADS - len(hints)
    counts = allot(room, [each.count for each in sections])
    parts: list[RenderableType] = [*head]
    for section, count in zip(sections, counts, strict=True):
        more = f", {count} shown" if count < section.count else ""
        parts.append(_line(f"{section.title}{f' ({section.count}{more})' if more else ''}", "bold"))
        parts.append(section.make(count) if count else _notice(f"  {section.hint}", _DULL))
    return Group(*parts)


def allot(room: int | None, wanted: Sequence[int]) -> list[int]:
    """How many rows each section gets: one after the other, one more for each."""
    if room is None:
        return [min(each, MOST_ROWS) for each in wanted]
    given = [min(each, 1) for each in wanted]
    while sum(given) < room and given != [*wanted]:
        for number, each in enumerate(wanted):
            if given[number] < each and sum(given) < room:
                given[number] += 1
    return given


def _head(view: View) -> list[Text]:
    found = [_line(view.name, "bold")]
    if view.obstacle:
        found.append(_notice(f"service   {view.obstacle}", _BAD))
    elif view.figures is None:
        found.append(_line("service   answers; figures come with the next look", _DULL))
    else:
        found += _service(view.figures)
    if view.seen.obstacle:
        found.append(_notice(f"database  {view.seen.obstacle}", _BAD))
    if view.seen.rights_hint:
        found.append(_notice(f"database  {view.seen.rights_hint}", _DULL))
    return found


def _service(found: Figures) -> list[Text]:
    requests = (
        f"requests  {found.rate:,.1f}/s, {found.running:.0f} running, errors {found.errors:.1f}/s, "
        f"refused {found.refused:.1f}/s, retried {found.retries:.1f}/s"
    )
    pool = (
        f"pool      {found.in_use:.0f} of {found.size:.0f} in use, {found.waiting:.0f} waiting, "
        f"timeouts {found.timeouts:.1f}/s; event loop late {_duration(found.lag)}"
    )
    is_bad = found.errors or found.refused
    is_full = found.waiting or found.timeouts
    return [_line(requests, _BAD if is_bad else ""), _line(pool, _BAD if is_full else "")]


def _sections(view: View) -> list[_Section]:
    routes = view.figures.routes if view.figures else ()
    held = lines(view.held, view.seen.sessions)
    waits = locks(view.seen.waits, held)
    unseen = "not to be seen" if view.seen.obstacle else ""
    idle = "no requests" if view.figures else "no figures"
    return [
        _Section("routes", len(routes), partial(_routes, routes), idle),
        _Section("connections", len(held), partial(_connections, held), unseen or "nobody"),
        _Section("locks", len(waits), partial(_locks, waits), unseen or "nobody waits"),
        _Section(
            "statements that took most time",
            len(view.seen.slow),
            partial(_slow, view.seen.slow),
            view.seen.slow_hint or "none",
        ),
    ]


def _routes(routes: Sequence[Route], count: int) -> Table:
    table = _table("route*", "req/s", "p50", "p99", "err/s", "stmts", "held")
    for each in routes[:count]:
        figures = f"{each.rate:,.1f}", _duration(each.median), _duration(each.p99)
        errors = Text(f"{each.errors:.1f}", _BAD if each.errors else "")
        held = f"{each.held:.1f}"
        table.add_row(_line(each.name), *figures, errors, f"{each.statements:.1f}", held)
    return table


def _connections(found: Sequence[Line], count: int) -> Table:
    table = _table("pid", "for", "who*", "state ", "statement*")
    for each in found[:count]:
        state = _line(_short(each.state), _BAD if each.state == "waits" else "")
        pid = "" if each.pid is None else str(each.pid)
        statement = _line(each.statement, _DULL if each.state == "idle" else "")
        table.add_row(pid, _duration(each.seconds), _line(each.who), state, statement)
    return table


def _locks(found: Sequence[Lock], count: int) -> Table:
    table = _table("for", "who waits*", "for whom*", "statement*")
    for each in found[:count]:
        who, whom = _line(each.who), _line(each.whom)
        table.add_row(_duration(each.seconds), who, whom, _line(each.statement))
    return table


def _slow(found: Sequence[Slow], count: int) -> Table:
    table = _table("calls", "mean", "total", "statement*")
    for each in found[:count]:
        times = _duration(each.mean), _duration(each.total)
        table.add_row(f"{each.calls:,}", *times, _line(each.statement))
    return table


def _table(*columns: str) -> Table:
    """A name with `*` shares the room that is left; others are numbers, or end with a blank."""
    table = Table(box=None, pad_edge=False, expand=True, padding=(0, 1, 0, 0), header_style=_DULL)
    for name in columns:
        shares, is_text = name.endswith("*"), name.endswith(("*", " "))
        table.add_column(
            name.rstrip("* "),
            ratio=1 + (name == "statement*") if shares else None,
            justify="left" if is_text else "right",
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _line(words: str, style: str = "") -> Text:
    """One line, cut where the terminal ends; what programs call themselves moves no cursor."""
    return Text(_shown(words), style, no_wrap=True, overflow="ellipsis")


def _notice(words: str, style: str) -> Text:
    """As long as it is."""
    return Text(_shown(words), style, overflow="fold")


def _lines(text: Text, width: int) -> int:
    """How many it takes; a word that would be cut goes to the next one."""
    return 1 if text.no_wrap or text.cell_len <= width else 1 + math.ceil(text.cell_len / width)


def _shown(words: str) -> str:
    return "".join(each if _is_shown(each) else " " for each in words)


def _is_shown(letter: str) -> bool:
    return not unicodedata.category(letter).startswith(("C", "Zl", "Zp"))


def _short(state: str) -> str:
    return state.replace("idle in transaction", "idle in tx").replace(" (aborted)", "!")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if math.isinf(seconds):
        return "> 10 s"
    if seconds >= 100:  # noqa: PLR2004 - then nobody asks for tenths
        return f"{seconds:,.0f} s"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.{1 if seconds >= 0.001 else 2}f} ms"  # noqa: PLR2004 - a millisecond
