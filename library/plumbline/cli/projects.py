"""`plumbline new` and `plumbline update`."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from plumbline.cli.terminal import say
from plumbline.errors import OperatorError

PLUMBLINE = "plumbline"


def new(
    path: Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="What the service is called; else as its folder.")
    ] = None,
    author: Annotated[
        str | None, typer.Option(help="Who has the rights; else git's user.name.")
    ] = None,
    license: Annotated[str, typer.Option(help="MIT or proprietary.")] = "MIT",  # noqa: A002
    without_posts: Annotated[
        bool, typer.Option("--without-posts", help="Users, and no example of what they do.")
    ] = False,
    without_container: Annotated[
        bool, typer.Option("--without-container", help="No Dockerfile, and nothing to deploy it.")
    ] = False,
) -> None:
    """Make a service of your own: users, posts, tests, CI, one commit."""
    projects = _template("projects")
    path = path.resolve()
    made = projects.new_project(
        path,
        name or path.name,
        _author() if author is None else author,
        license,
        posts=not without_posts,
        container=not without_container,
    )
    say(PLUMBLINE, f"{made.name} is in {path}; next, there:")
    say(PLUMBLINE, "  make run     PostgreSQL and the service, with reload")
    say(PLUMBLINE, "  make check   all that CI does")
    say(PLUMBLINE, "  README.md says what is where")


def update() -> None:
    """Merge what changed in the files that the project of this folder started from into it."""
    now, conflicts = _template("projects").update_project(Path.cwd())
    for file in conflicts:
        say(PLUMBLINE, f"conflict in {file}: both have changed it, look for <<<<<<<")
    say(PLUMBLINE, f"this is {now.version}: read `git diff --cached`, check it, and commit")
    if conflicts:
        raise OperatorError(f"{len(conflicts)} files have conflicts; `git reset --hard` undoes all")


def _author() -> str:
    git: Any = _template("git")
    try:
        return str(git.git(Path.cwd(), "config", "user.name")).strip()
    except OperatorError:
        return ""


def _template(module: str) -> ModuleType:
    """Not imported above: the other commands do without Jinja."""
    try:
        return import_module(f"plumbline.template.{module}")
    except ModuleNotFoundError as error:
        if error.name != "jinja2":
            raise
        raise OperatorError(
            "this needs Jinja: install plumbline-fastapi[template] instead of plumbline-fastapi"
        ) from None
