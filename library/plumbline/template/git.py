"""What git does for a new project, and for an update of one."""

import os
import subprocess
import tempfile
from pathlib import Path

from plumbline.errors import OperatorError
from plumbline.template.rendering import write

# Commits of ours need an author also where git knows none; what people commit has theirs.
WRITER = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Plumbline"), ("EMAIL", "plumbline@localhost"))
}


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """What `git ARGUMENTS` in `folder` prints; OperatorError with its words where it fails."""
    ended = _run(folder, *arguments, **environment)
    if ended.returncode:
        reason = (ended.stderr or ended.stdout).strip()
        raise OperatorError(f"`git {' '.join(arguments)}` failed: {reason}")
    return ended.stdout


def start_repository(folder: Path, message: str) -> None:
    """Make a repository of a new project, with all its files in one commit."""
    knows_author = _run(folder, "var", "GIT_AUTHOR_IDENT").returncode == 0
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    environment = {} if knows_author else WRITER
    git(folder, "commit", "--quiet", "--no-verify", "--message", message, **environment)


def merge(folder: Path, base: dict[str, bytes], new: dict[str, bytes], message: str) -> list[str]:
    """Change the project as `base` was changed to `new`, and commit nothing.

    Gives the files in which both have changed the same lines; git has marked them there.
    """
    was = _commit(folder, base, message)
    becomes = _commit(folder, new, message, "-p", was)
    ended = _run(folder, "cherry-pick", "--no-commit", becomes)
    conflicts = git(folder, "diff", "--name-only", "--diff-filter=U").splitlines()
    if ended.returncode and not conflicts:
        raise OperatorError(f"git could not merge: {ended.stderr.strip()}")
    return conflicts


def _commit(folder: Path, files: dict[str, bytes], message: str, *parent: str) -> str:
    """A commit of these files and nothing else, on no branch."""
    with tempfile.TemporaryDirectory() as made:
        tree, index = Path(made, "tree"), Path(made, "index")
        write(files, tree)
        place = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(tree)}
        place["GIT_DIR"] = git(folder, "rev-parse", "--absolute-git-dir").strip()
        git(tree, "add", "--all", "--force", **place)
        written = git(tree, "write-tree", **place).strip()
    return git(folder, "commit-tree", written, *parent, "-m", message, **WRITER).strip()


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - our own words
            ["git", *arguments],  # noqa: S607 - wherever it is
            cwd=folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise OperatorError("git is needed: install it, as in `apt install git`") from None
