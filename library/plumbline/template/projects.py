"""A new project, and the next version of one."""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from plumbline.errors import OperatorError
from plumbline.template import git
from plumbline.template.libraries import template_of, wheel_of_this
from plumbline.template.rendering import Answers, License, read_answers, render, write
from plumbline.template.source import installed_template

VENDOR = "vendor"


def new_project(
    path: Path,
    name: str,
    author: str,
    license: License,  # noqa: A002
    *,
    posts: bool = True,
    container: bool = True,
) -> Answers:
    """Make the project at `path`, with one commit; where it fails, nothing is left there.

    Without `posts` it has users, and the example of what they do is left out; without `container`
    what deploys it.
    """
    if path.exists() and any(path.iterdir() if path.is_dir() else [path]):
        raise OperatorError(f"{path} exists already: choose a folder that does not, or is empty")
    template = installed_template()
    year = datetime.now(UTC).year
    answers = Answers(template.version, name, author, license, year, "", posts, container)
    is_new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)  # first: where it cannot be, nothing is built
        with tempfile.TemporaryDirectory() as made:
            wheel = wheel_of_this(Path(made))
            answers = answers.of(template, wheel)
            write(render(template, answers) | _vendored(wheel), path)
        git.start_repository(path, f"Start from Plumbline {template.version}")
    except BaseException:
        _remove(path, keep=not is_new)
        raise
    return answers


def update_project(folder: Path) -> tuple[Answers, list[str]]:
    """Merge what changed since the version that the project has; nothing is committed.

    Gives what the project is now, and the files with conflicts. OperatorError where something is
    not committed, or there is nothing newer.
    """
    answers = read_answers(folder)
    if git.git(folder, "status", "--porcelain"):
        raise OperatorError("something is not committed: commit it, or `git stash` it, first")
    template = installed_template()
    if template.version == answers.version:
        raise OperatorError(f"the project is at {answers.version}, which is this version")
    with tempfile.TemporaryDirectory() as had, tempfile.TemporaryDirectory() as gets:
        vendored = folder / VENDOR / answers.wheel if answers.wheel else None
        before = template_of(answers.version, vendored, Path(had))
        wheel = wheel_of_this(Path(gets))
        now = answers.of(template, wheel)
        base = render(before, answers) | _vendored(vendored)
        new = render(template, now) | _vendored(wheel)
        message = f"Update from Plumbline {answers.version} to {template.version}"
        return now, git.merge(folder, base, new, message)


def _vendored(wheel: Path | None) -> dict[str, bytes]:
    return {f"{VENDOR}/{wheel.name}": wheel.read_bytes()} if wheel else {}


def _remove(path: Path, *, keep: bool) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if keep:
        path.mkdir()
