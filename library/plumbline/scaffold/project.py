"""Where a service has what: its folders, its models, and the changes that are planned for it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.errors import OperatorError


@dataclass(frozen=True)
class Project:
    """`root` has pyproject.toml and tests; `package` is the name of the service's package."""

    root: Path
    package: str

    @property
    def code(self) -> Path:
        """The folder of the package."""
        return self.root / self.package

    def path(self, name: str) -> Path:
        """Of a file in the package, as `db/models/post.py`."""
        return self.code / name

    def require_layout(self) -> None:
        """OperatorError for a folder that is not laid out as the service of Plumbline."""
        wanted = ("db/models/__init__.py", "services", "api/deps.py", "api/access.py", "main.py")
        for name in wanted:
            if not self.path(name).exists():
                raise OperatorError(
                    f"{self.path(name)} is missing: this command knows services that are laid out "
                    "as the one of Plumbline"
                )


@dataclass
class Plan:
    """The files as they will be: all are written, or none.

    `before` has the text of those that are there, None for new ones; `after` the new text, None for
    those that go.
    """

    root: Path
    before: dict[Path, str | None] = field(default_factory=dict)
    after: dict[Path, str | None] = field(default_factory=dict)

    def text(self, path: Path) -> str:
        """As it will be."""
        if path not in self.after:
            self.before[path] = self.after[path] = path.read_text()
        return self.after[path] or ""

    def has(self, path: Path) -> bool:
        """Whether the file will be there."""
        return self.after[path] is not None if path in self.after else path.exists()

    def write(self, path: Path, text: str) -> None:
        """A new text for a file, or a new file."""
        if path not in self.before:
            self.before[path] = path.read_text() if path.exists() else None
        self.after[path] = text

    def create(self, path: Path, text: str) -> None:
        """OperatorError for a file that is there: nothing is overwritten."""
        if path.exists():
            raise OperatorError(f"{self.name(path)} is there already: nothing was written")
        self.write(path, text)

    def remove(self, path: Path) -> None:
        """A file less."""
        self.text(path)
        self.after[path] = None

    def sources(self, folder: Path) -> dict[Path, str]:
        """All Python files in a folder, and in those in it, as they will be."""
        there = {path: path.read_text() for path in folder.rglob("*.py") if path not in self.after}
        planned = {path: text for path, text in self.after.items() if path.is_relative_to(folder)}
        return there | {path: text for path, text in planned.items() if text is not None}

    def name(self, path: Path) -> str:
        """As people call it, from the root on."""
        return str(path.relative_to(self.root))

    def lines(self) -> Iterator[str]:
        """What it does, a line for each file."""
        for path in sorted(self.after):
            before, after = self.before[path], self.after[path]
            if before != after:
                word = "create" if before is None else "remove" if after is None else "change"
                count = f" ({after.count(chr(10))} lines)" if before is None and after else ""
                yield f"{word}  {self.name(path)}{count}"

    def carry_out(self) -> None:
        """Write all; what was written is taken back when something fails.

        OperatorError where a file has changed since it was read.
        """
        for path, text in self.before.items():
            if (path.read_text() if path.exists() else None) != text:
                raise OperatorError(f"{self.name(path)} has changed meanwhile: nothing was written")
        with ExitStack() as undo:
            for path, after in self.after.items():
                undo.callback(replace_file, path, self.before[path])
                replace_file(path, after)
            undo.pop_all()


def replace_file(path: Path, text: str | None) -> None:
    """At once: nobody ever sees half of it. None removes it."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
