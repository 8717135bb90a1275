"""`top`: its options; what it shows is in plumbline/top, which other commands need not import."""

from importlib import import_module
from typing import Annotated, Any

import typer

from plumbline.cli.service import Service
from plumbline.errors import OperatorError

Url = Annotated[str, typer.Option(help="Where the service listens.")]
Every = Annotated[
    float, typer.Option("--every", min=0.1, max=60, help="Seconds between two looks.")
]
Header = Annotated[
    str,
    typer.Option(
        envvar="TOP_HEADER",
        help="Sent with each look, as in 'Authorization: Bearer …', where a proxy asks for it.",
    ),
]


def top(
    service: Service,
    url: Url = "http://127.0.0.1:8000",
    every: Every = 2.0,
    header: Header = "",
    *,
    once: Annotated[bool, typer.Option("--once", help="Show one look, and end.")] = False,
) -> None:
    """Watch the running service: requests, the pool, who holds connections, locks, statements."""
    name, _, value = header.partition(":")
    if header and not (
        name.strip() and value.strip() and header.isascii() and header.isprintable()
    ):
        raise OperatorError(
            "--header must be a name, a colon and a value: 'Authorization: Bearer …'"
        )
    if not url.startswith(("http://", "https://")):
        raise OperatorError("--url must begin with http:// or https://")
    if "@" in url:
        raise OperatorError("--url takes no password, which would be shown: --header is for that")
    headers = {name.strip(): value.strip()} if header else {}
    watching, console = _import("plumbline.top.watching"), _import("rich.console").Console()
    watcher = _import("plumbline.top.sessions").Watcher(service.settings.DATABASE_URL)
    sources = watching.Sources(f"{service.name} top", url, headers, watcher)
    watching.watch(sources, console, every, is_once=once)


def _import(module: str) -> Any:  # noqa: ANN401 - a module
    """Not imported above: the other commands do without what draws."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise OperatorError("this needs rich: `pip install rich`") from None
