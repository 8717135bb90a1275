"""Looks, and shows what was seen: once, or until somebody stops it."""

import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live

from plumbline.top.figures import Window
from plumbline.top.scrape import Unreachable, scrape
from plumbline.top.screen import View, render
from plumbline.top.sessions import Watcher


@dataclass
class Sources:
    """Where to look: a service, with the headers that it wants, and a database."""

    name: str
    url: str
    headers: Mapping[str, str]
    watcher: Watcher
    window: Window = field(default_factory=Window)

    def look(self) -> View:
        """Of both, whatever the other says."""
        name, seen = f"{self.name}  {self.url}", self.watcher.look()
        try:
            found = scrape(self.url, self.headers)
        except Unreachable as error:
            self.window.clear()
            return View(name, None, str(error), (), seen)
        self.window.add(found)
        return View(name, self.window.figures(), "", found.held, seen)


def watch(sources: Sources, console: Console, every_seconds: float, *, is_once: bool) -> None:
    """Live in a terminal, until Ctrl-C; elsewhere, and once, as lines."""
    with closing(sources.watcher):
        if is_once or not console.is_terminal or console.is_dumb_terminal:
            _show_once(sources, console, every_seconds)
            return
        # The whole screen, which comes back as it was.
        with (
            suppress(KeyboardInterrupt),
            Live(console=console, screen=True, auto_refresh=False) as live,
        ):
            while True:
                view = sources.look()
                live.update(render(view, console.size), refresh=True)
                time.sleep(every_seconds)


def _show_once(sources: Sources, console: Console, every_seconds: float) -> None:
    """Two looks, since a rate is a difference."""
    view = sources.look()
    if not view.obstacle:
        time.sleep(every_seconds)
        view = sources.look()
    console.print(render(view))
